"""Labels, notes, rebuttals and their answers; all append-only."""

from __future__ import annotations

from django.db import models

from genmem.arena.accounts.models import User
from genmem.arena.core import clock
from genmem.arena.core.models import AppendOnly
from genmem.arena.leaderboards.models import Decision
from genmem.arena.moderation.consensus import COPYING, LEGITIMATE, OTHER
from genmem.arena.submissions.models import Submission

LABELS = (
    (LEGITIMATE, "Legitimate"),
    ("MGAN", "MGAN"),
    ("SUP", "SUP"),
    ("AE", "AE"),
    ("AUG", "AUG"),
    (OTHER, "Other copying"),
)
LABEL_MEANINGS = {
    LEGITIMATE: "the images are the generator's own",
    "MGAN": "memorization GAN: a generator trained against a membership classifier",
    "SUP": "supervised mapping from fixed codes to training images",
    "AE": "an autoencoder's reconstructions of training images",
    "AUG": "training images that were cropped, flipped, blended or given noise",
    OTHER: "copies in another way; the reason says how",
}
assert {name for name, _ in LABELS} == {LEGITIMATE, *COPYING}


class Label(AppendOnly):
    """What one reviewer finds a submission to be; the reviewer's newest label counts."""

    submission = models.ForeignKey(Submission, models.PROTECT, related_name="labels")
    reviewer = models.ForeignKey(User, models.PROTECT, related_name="labels")
    label = models.CharField(max_length=10, choices=LABELS)
    reason = models.TextField(blank=True)
    at = models.DateTimeField(default=clock.now, editable=False)

    def __str__(self) -> str:
        return f"{self.submission}: {self.label}, by {self.reviewer}"


class Note(AppendOnly):
    """A reviewer's note for other reviewers; participants never see it."""

    submission = models.ForeignKey(Submission, models.PROTECT, related_name="notes")
    by = models.ForeignKey(User, models.PROTECT, related_name="notes")
    text = models.TextField()
    at = models.DateTimeField(default=clock.now, editable=False)

    def __str__(self) -> str:
        return f"{self.submission}: {self.text[:60]}"


class Rebuttal(AppendOnly):
    """A team's statement on a disqualification; one per decision."""

    decision = models.OneToOneField(Decision, models.PROTECT, related_name="rebuttal")
    by = models.ForeignKey(User, models.PROTECT, related_name="rebuttals")
    text = models.TextField()
    at = models.DateTimeField(default=clock.now, editable=False)

    def __str__(self) -> str:
        return f"to {self.decision}"


class Answer(AppendOnly):
    """The organizers' answer to a rebuttal, shown to the team."""

    rebuttal = models.OneToOneField(Rebuttal, models.PROTECT, related_name="answer")
    by = models.ForeignKey(User, models.PROTECT, related_name="answers")
    text = models.TextField()
    at = models.DateTimeField(default=clock.now, editable=False)

    def __str__(self) -> str:
        return f"answer {self.rebuttal}"
