"""Uploads on their way, submissions that are complete, and the steps each goes through."""

from __future__ import annotations

import uuid

from django.db import models

from genmem.arena import clock
from genmem.arena.people.models import Team, User

KINDS = (("images", "Images"), ("code", "Code"))
STEPS = (
    "validate",
    "public features",
    "public score",
    "private features",
    "private score",
    "publish",
)
"""What is done with every submission, in this order."""


class Submission(models.Model):
    """A complete upload. `received_at` is the server's clock when its last byte was here.

    Attributes:
        state: "received" until scoring begins; "refused" when the files break the rules, "failed"
            when it is nobody's fault but ours.
        message: shown to the team.
        counts_against_limit: false for what was refused or failed.
        file: below the storage folder.
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

    def __str__(self) -> str:
        return f"{self.original_name} ({str(self.id)[:8]})"


class Upload(models.Model):
    """A file on its way here, piece by piece; `finished` once it has become a submission."""

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
    """One step of scoring one submission, with its log."""

    NAMES = tuple((name, name.capitalize()) for name in STEPS)
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
    log = models.TextField(blank=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=["submission", "name"], name="one_step_per_name"),
        )

    def __str__(self) -> str:
        return f"{self.name}: {self.state}"
