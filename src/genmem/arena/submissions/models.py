"""Unfinished uploads, submissions, and the steps of scoring them."""

from __future__ import annotations

import uuid
from datetime import timedelta

from django.db import models

from genmem.arena.accounts.models import User
from genmem.arena.core import clock
from genmem.arena.teams.models import Team

KINDS = (("images", "Images"), ("code", "Code"))
STEPS = (
    "validate",
    "public features",
    "public score",
    "private features",
    "private score",
    "publish",
)
"""The steps for a submission of images, in order."""

CODE_STEPS = ("run", *STEPS)
"""The steps for a submission of code; the images it writes are then scored."""


def steps_of(kind: str) -> tuple[str, ...]:
    """Return the steps of a submission of this kind, in order."""
    return CODE_STEPS if kind == "code" else STEPS


class Submission(models.Model):
    """A complete upload. `received_at` is when its last byte arrived, by the server's clock.

    Attributes:
        state: "received" until scoring begins; "refused" when the files break the rules, "failed"
            after an error of the server.
        message: shown to the team.
        counts_against_limit: false for refused and failed submissions.
        file: its storage name.
        round: how many times an organizer retried it after it was refused or failed.
    """

    STATES = (
        ("received", "Received"),
        ("scoring", "Being scored"),
        ("scored", "Scored"),
        ("refused", "Refused"),
        ("failed", "Failed"),
    )

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    team = models.ForeignKey(Team, models.PROTECT, related_name="submissions")
    author = models.ForeignKey(User, models.PROTECT, related_name="submissions")
    kind = models.CharField(max_length=6, choices=KINDS)
    received_at = models.DateTimeField(db_index=True)
    size = models.BigIntegerField()
    sha256 = models.CharField(max_length=64)
    original_name = models.CharField(max_length=255)
    state = models.CharField(max_length=8, choices=STATES, default="received", db_index=True)
    message = models.TextField(blank=True)
    counts_against_limit = models.BooleanField(default=True)
    file = models.CharField(max_length=255)
    round = models.PositiveIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.original_name} ({str(self.id)[:8]})"

    @property
    def images_zip(self) -> str:
        """Storage name of the zip of images: the upload itself, or what its code generated."""
        return f"output/{self.pk}.zip" if self.kind == "code" else self.file


class Upload(models.Model):
    """An unfinished upload; `finished` is the submission it became."""

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    team = models.ForeignKey(Team, models.CASCADE, related_name="uploads")
    author = models.ForeignKey(User, models.CASCADE, related_name="uploads")
    kind = models.CharField(max_length=6, choices=KINDS)
    length = models.BigIntegerField()
    offset = models.BigIntegerField(default=0)
    sha256 = models.CharField(max_length=64, blank=True)
    original_name = models.CharField(max_length=255)
    created_at = models.DateTimeField(default=clock.now, editable=False)
    expires_at = models.DateTimeField()
    finished = models.ForeignKey(Submission, models.SET_NULL, null=True, blank=True)

    def __str__(self) -> str:
        return f"{self.original_name}, {self.offset:,} of {self.length:,} bytes"


class Step(models.Model):
    """One step of scoring a submission, with its log.

    Attributes:
        attempts: how often it was begun; more than once if it raised an error or its worker died.
        log: shown to the team, except for private steps while private scores are hidden.
        detail: full error, for organizers only.
    """

    NAMES = tuple((name, name.capitalize()) for name in CODE_STEPS)
    STATES = (
        ("waiting", "Waiting"),
        ("running", "Running"),
        ("done", "Done"),
        ("failed", "Failed"),
    )

    submission = models.ForeignKey(Submission, models.CASCADE, related_name="steps")
    name = models.CharField(max_length=16, choices=NAMES)
    state = models.CharField(max_length=7, choices=STATES, default="waiting")
    started_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    attempts = models.PositiveIntegerField(default=0)
    log = models.TextField(blank=True)
    detail = models.TextField(blank=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=["submission", "name"], name="one_step_per_name"),
        )

    def __str__(self) -> str:
        return f"{self.name}: {self.state}"

    @property
    def took(self) -> timedelta:
        """Duration of the last start; 0 if it has not ended."""
        if self.started_at is None or self.ended_at is None:
            return timedelta()
        return self.ended_at - self.started_at
