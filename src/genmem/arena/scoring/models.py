"""What scoring keeps of itself: workers, prepared splits, scores to be made anew, runs of code."""

from __future__ import annotations

import uuid

from django.db import models

from genmem.arena.accounts.models import User
from genmem.arena.competitions.models import Split
from genmem.arena.core import clock
from genmem.arena.submissions.models import Submission


class Worker(models.Model):
    """One process that scores.

    Attributes:
        host: the machine it is on.
        process: tells this very process from any other on its machine (`sandbox.records`).
        seen_at: by the database's clock, every few seconds while it lives.
        ended_at: set when it has ended in order, or was found dead and its work taken over.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    host = models.CharField(max_length=255)
    process = models.JSONField(default=dict)
    started_at = models.DateTimeField(default=clock.now, editable=False)
    seen_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"worker {str(self.id)[:8]} on {self.host}"


class Prepared(models.Model):
    """A split whose own features are kept.

    Attributes:
        space: short hash of what distances depend on: backbone, weights and training images.
        reference: short hash of the reference images' content; "" where they are the training ones.
        weights_sha256: "" for a backbone without weights.
        train_count, reference_count: how many images each set has.
    """

    split = models.OneToOneField(Split, models.CASCADE, related_name="prepared")
    space = models.CharField(max_length=16, db_index=True)
    reference = models.CharField(max_length=16, blank=True)
    weights_sha256 = models.CharField(max_length=64, blank=True)
    train_count = models.PositiveIntegerField()
    reference_count = models.PositiveIntegerField()
    made_at = models.DateTimeField(default=clock.now, editable=False)

    def __str__(self) -> str:
        return f"{self.split} in space {self.space}"


class Rescore(models.Model):
    """A submission that is to be scored again under a newer version of a split.

    Attributes:
        reason: goes into the new score version.
        actor: who changed the split; null on the command line.
        round: raised each time it is queued again after it failed.
        detail: what went wrong, for organisers.
    """

    STATES = (("waiting", "Waiting"), ("done", "Done"), ("failed", "Failed"))

    split = models.ForeignKey(Split, models.CASCADE, related_name="rescores")
    submission = models.ForeignKey(Submission, models.CASCADE, related_name="rescores")
    reason = models.TextField(blank=True)
    actor = models.ForeignKey(User, models.SET_NULL, null=True, blank=True)
    state = models.CharField(max_length=7, choices=STATES, default="waiting", db_index=True)
    round = models.PositiveIntegerField(default=0)
    starts = models.PositiveIntegerField(default=0)
    detail = models.TextField(blank=True)
    made_at = models.DateTimeField(default=clock.now, editable=False)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["split", "submission"], name="one_rescore_per_split_and_submission"
            ),
        )

    def __str__(self) -> str:
        return f"{self.submission} on {self.split}: {self.state}"


class CodeRun(models.Model):
    """The run of a submission's program, on the machine that started it.

    Attributes:
        host: where it runs; "" while nobody has taken it.
        starts: how many times it was started; it is started anew only where it was lost.
        folder: the run's own folder on that machine.
        claimed_at: by the database's clock, when its machine last looked at it.
        outcome: what the sandbox says came of it, as JSON; null until it has ended.
    """

    submission = models.OneToOneField(Submission, models.CASCADE, related_name="run")
    host = models.CharField(max_length=255, blank=True)
    starts = models.PositiveIntegerField(default=0)
    folder = models.CharField(max_length=1000, blank=True)
    claimed_at = models.DateTimeField(null=True, blank=True)
    outcome = models.JSONField(null=True, blank=True)

    def __str__(self) -> str:
        return f"run of {self.submission} on {self.host or 'no machine yet'}"
