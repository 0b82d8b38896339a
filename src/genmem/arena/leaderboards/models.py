"""Score versions and decisions, which never change, and the submissions that teams chose."""

from __future__ import annotations

from django.db import models

from genmem.arena.accounts.models import User
from genmem.arena.competitions.models import Split
from genmem.arena.core import clock
from genmem.arena.core.models import AppendOnly
from genmem.arena.leaderboards.ranking import standing_of
from genmem.arena.submissions.models import Submission
from genmem.arena.teams.models import Team
from genmem.metrics.mifid import Standing


class ScoreVersion(AppendOnly):
    """One score of one submission on one split, as computed at one time. Lower is better.

    Attributes:
        split: the version of the public or private split.
        fd: Fréchet distance.
        distance: memorization distance.
        fd_floor: FD up to which it is 0 but for rounding; null where it is not known.
        tau, epsilon: parameters of the penalty.
        score: null is N/A.
        distances: path of the per-image distances (.npz), relative to the storage folder.
        supersedes: the version this one replaces; the version that nothing supersedes is in force.
        reason: why there is a new version.
    """

    submission = models.ForeignKey(Submission, models.PROTECT, related_name="scores")
    split = models.ForeignKey(Split, models.PROTECT, related_name="scores")
    fd = models.FloatField(null=True, blank=True)
    distance = models.FloatField(null=True, blank=True)
    fd_floor = models.FloatField(null=True, blank=True)
    tau = models.FloatField()
    epsilon = models.FloatField()
    score = models.FloatField(null=True, blank=True)
    backbone = models.CharField(max_length=200)
    weights_sha256 = models.CharField(max_length=64, blank=True)
    distances = models.CharField(max_length=255, blank=True)
    made_at = models.DateTimeField(default=clock.now, editable=False)
    supersedes = models.OneToOneField(
        "self", models.PROTECT, null=True, blank=True, related_name="superseded_by"
    )
    reason = models.TextField(blank=True)

    class Meta:  # pyright: ignore[reportIncompatibleVariableOverride]
        constraints = (
            models.UniqueConstraint(
                fields=["submission", "split"],
                condition=models.Q(supersedes=None),
                name="one_first_score_per_split",
            ),
        )

    def __str__(self) -> str:
        return f"{self.submission} on {self.split}: {self.score}"

    @property
    def standing(self) -> Standing:
        """Whether the submission is penalized or a replay of the training set."""
        return standing_of(fd=self.fd, distance=self.distance, tau=self.tau, fd_floor=self.fd_floor)


class Final(models.Model):
    """A submission that its team chose for the private leaderboard."""

    team = models.ForeignKey(Team, models.CASCADE, related_name="finals")
    submission = models.OneToOneField(Submission, models.CASCADE, related_name="final")
    chosen_at = models.DateTimeField(default=clock.now, editable=False)

    def __str__(self) -> str:
        return f"{self.submission} of {self.team}"


class Decision(AppendOnly):
    """A submission is disqualified or reinstated; its newest decision is in force.

    Attributes:
        label: what the submission was found to be, shown to the team; "" where nothing is said.
        by: the organizer; null for the server's command line.
        reason: shown to the team.
    """

    KINDS = (("disqualified", "Disqualified"), ("reinstated", "Reinstated"))

    submission = models.ForeignKey(Submission, models.PROTECT, related_name="decisions")
    kind = models.CharField(max_length=12, choices=KINDS)
    label = models.CharField(max_length=10, blank=True)
    by = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="decisions")
    reason = models.TextField()
    at = models.DateTimeField(default=clock.now, editable=False)

    def __str__(self) -> str:
        return f"{self.submission}: {self.kind}"
