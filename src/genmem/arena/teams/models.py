"""Teams, their members, invitations and merges, and roles in a competition."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import models
from django.db.models.functions import Lower

from genmem.arena.accounts.models import User
from genmem.arena.competitions.models import Competition
from genmem.arena.core import clock


class Team(models.Model):
    """One or more people with one place on each leaderboard."""

    competition = models.ForeignKey(Competition, models.PROTECT, related_name="teams")
    name = models.CharField(max_length=60)
    created_at = models.DateTimeField(default=clock.now, editable=False)

    if TYPE_CHECKING:  # reverse relations of models in apps above
        submissions: Any
        uploads: Any
        finals: Any

    class Meta:
        constraints = (
            models.UniqueConstraint(
                "competition",
                Lower("name"),
                name="one_team_per_name",
                violation_error_message="Another team has this name. Choose a different one.",
            ),
        )

    def __str__(self) -> str:
        return self.name


class Membership(models.Model):
    """A person in a team.

    `competition` repeats the team's, so that a database constraint allows one team per person and
    competition.
    """

    team = models.ForeignKey(Team, models.CASCADE, related_name="memberships")
    user = models.ForeignKey(User, models.CASCADE, related_name="memberships")
    competition = models.ForeignKey(Competition, models.PROTECT, editable=False)
    captain = models.BooleanField(default=False)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["user", "competition"], name="one_team_per_person_and_competition"
            ),
        )

    def __str__(self) -> str:
        return f"{self.user} in {self.team}"

    def save(self, *args: object, **kwargs: object) -> None:
        """Copy the team's competition, and save."""
        self.competition = self.team.competition
        super().save(*args, **kwargs)  # type: ignore[arg-type]


class Invitation(models.Model):
    """An invitation of one e-mail address to a team; the token is part of the link sent there."""

    team = models.ForeignKey(Team, models.CASCADE, related_name="invitations")
    email = models.EmailField()
    token = models.CharField(max_length=64, unique=True)
    created_at = models.DateTimeField(default=clock.now, editable=False)
    accepted_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return f"{self.email} to {self.team}"


class MergeRequest(models.Model):
    """A request of the captain of `team` to merge it into the team `into`."""

    team = models.ForeignKey(Team, models.CASCADE, related_name="merges_asked")
    into = models.ForeignKey(Team, models.CASCADE, related_name="merges_offered")
    created_at = models.DateTimeField(default=clock.now, editable=False)
    accepted_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = (
            models.UniqueConstraint(
                fields=["team", "into"],
                condition=models.Q(accepted_at=None),
                name="one_open_merge_per_pair",
            ),
        )

    def __str__(self) -> str:
        return f"{self.team} into {self.into}"


class Role(models.Model):
    """A person's role in a competition: organizer or reviewer."""

    ROLES = (("reviewer", "Reviewer"), ("organizer", "Organizer"))

    competition = models.ForeignKey(Competition, models.CASCADE, related_name="roles")
    user = models.ForeignKey(User, models.CASCADE, related_name="roles")
    role = models.CharField(max_length=9, choices=ROLES)

    class Meta:
        constraints = (
            models.UniqueConstraint(fields=["competition", "user", "role"], name="one_role_once"),
        )

    def __str__(self) -> str:
        return f"{self.user}: {self.role}"
