"""Scoring's own rows: workers and their leases, features of splits, rescores, runs of code."""

from __future__ import annotations

import uuid

from django.db import models

from genmem.arena.accounts.models import User
from genmem.arena.competitions.models import Split
from genmem.arena.core import clock
from genmem.arena.submissions.models import Submission


class Worker(models.Model):
    """A process that scores.

    Attributes:
        host: name of its machine.
        process: identity of the process on that machine (see `sandbox.processes`).
        heartbeat_at: updated every few seconds while it lives, by the database's clock.
        ended_at: when it ended or was found dead; None while it lives.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    host = models.CharField(max_length=255)
    process = models.JSONField(default=dict)
    started_at = models.DateTimeField(default=clock.now, editable=False)
    heartbeat_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"worker {str(self.id)[:8]} on {self.host}"


class SplitFeatures(models.Model):
    """The stored features of a split's own images.

    Attributes:
        space: short hash of what distances depend on: backbone, weights and training images.
        reference: short hash of the reference images; "" if they are the training images.
        weights_sha256: "" for a backbone without weights.
        train_count, reference_count: number of images in each set.
    """

    split = models.OneToOneField(Split, models.CASCADE, related_name="features")
    space = models.CharField(max_length=16, db_index=True)
    reference = models.CharField(max_length=16, blank=True)
    weights_sha256 = models.CharField(max_length=64, blank=True)
    train_count = models.PositiveIntegerField()
    reference_count = models.PositiveIntegerField()
    created_at = models.DateTimeField(default=clock.now, editable=False)

    def __str__(self) -> str:
        return f"{self.split} in space {self.space}"


class Rescore(models.Model):
    """A scored submission to be scored again under a newer version of a split.

    Attributes:
        reason: goes into the new score version.
        actor: who changed the split; None on the command line.
        attempts: times that a worker began it; 0 again after an organizer's retry.
        detail: what went wrong, for organizers.
    """

    STATES = (("waiting", "Waiting"), ("done", "Done"), ("failed", "Failed"))

    split = models.ForeignKey(Split, models.CASCADE, related_name="rescores")
    submission = models.ForeignKey(Submission, models.CASCADE, related_name="rescores")
    reason = models.TextField(blank=True)
    actor = models.ForeignKey(User, models.SET_NULL, null=True, blank=True)
    state = models.CharField(max_length=7, choices=STATES, default="waiting", db_index=True)
    attempts = models.PositiveIntegerField(default=0)
    detail = models.TextField(blank=True)
    created_at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["split", "submission"], name="one_rescore_per_split_and_submission"
            ),
        )

    def __str__(self) -> str:
        return f"{self.submission} on {self.split}: {self.state}"


class Lease(models.Model):
    """A worker's exclusive claim on one task: to score a submission, or to do a rescore.

    It is valid while its worker lives, and is deleted when the task or the worker has ended.

    Attributes:
        alone: whether its worker does no other task meanwhile; not stored.
    """

    alone = False

    submission = models.OneToOneField(Submission, models.CASCADE, null=True, related_name="lease")
    rescore = models.OneToOneField(Rescore, models.CASCADE, null=True, related_name="lease")
    worker = models.ForeignKey(Worker, models.CASCADE, related_name="leases")

    class Meta:
        constraints = (
            models.CheckConstraint(
                condition=models.Q(submission=None) ^ models.Q(rescore=None),
                name="lease_of_one_task",
            ),
        )

    def __str__(self) -> str:
        return f"{self.worker}: {self.submission or self.rescore}"

    @property
    def competition_id(self) -> int:
        """The primary key of the task's competition."""
        task = self.submission.team if self.submission else self.rescore.split  # type: ignore
        return task.competition_id  # type: ignore[attr-defined]


class CodeRun(models.Model):
    """The run of a submission's program, on the machine that started it.

    Attributes:
        host: where it runs; "" while no machine has taken it.
        folder: the run's own folder on that machine.
        checked_at: when its machine last checked on it, by the database's clock.
        outcome: of the sandbox, as JSON; None until the program has ended.
    """

    submission = models.OneToOneField(Submission, models.CASCADE, related_name="run")
    host = models.CharField(max_length=255, blank=True)
    folder = models.CharField(max_length=1000, blank=True)
    checked_at = models.DateTimeField(null=True, blank=True)
    outcome = models.JSONField(null=True, blank=True)

    def __str__(self) -> str:
        return f"run of {self.submission} on {self.host or 'no machine yet'}"
