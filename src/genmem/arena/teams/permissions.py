"""Who may see and do what in a competition."""

from __future__ import annotations

from dataclasses import dataclass

from django.contrib.auth.base_user import AbstractBaseUser
from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest
from django.shortcuts import get_object_or_404

from genmem.arena.accounts.models import User
from genmem.arena.competitions.models import Competition
from genmem.arena.teams.models import Membership, Role, Team


@dataclass(frozen=True)
class Viewer:
    """The person who requests a page of a competition, and what they may see.

    Attributes:
        competition: the competition.
        user: None when not signed in.
        team: their team in the competition, if any.
        captain: whether they are its captain.
        organizer: whether they run the competition; organizers of the site run all.
        reviewer: whether they may see all submissions; organizers may too.
    """

    competition: Competition
    user: User | None
    team: Team | None = None
    captain: bool = False
    organizer: bool = False
    reviewer: bool = False

    @property
    def sees_private(self) -> bool:
        """Whether they see private scores and the private leaderboard."""
        return self.competition.private_open or self.reviewer

    def may_see_submissions_of(self, team_id: int) -> bool:
        """Return whether they see this team's submissions: their own team's; all, for reviewers."""
        return self.reviewer or (self.team is not None and self.team.pk == team_id)


def viewer_of(user: AbstractBaseUser | AnonymousUser, competition: Competition) -> Viewer:
    """Return what `user` may see in `competition`."""
    if not isinstance(user, User):
        return Viewer(competition, None)
    membership = (
        Membership.objects.filter(user=user, competition=competition).select_related("team").first()
    )
    roles = set(
        Role.objects.filter(user=user, competition=competition).values_list("role", flat=True)
    )
    organizer = user.is_staff or "organizer" in roles
    return Viewer(
        competition,
        user,
        team=membership.team if membership else None,
        captain=bool(membership and membership.captain),
        organizer=organizer,
        reviewer=organizer or "reviewer" in roles,
    )


def get_viewer(request: HttpRequest, slug: str) -> Viewer:
    """Return the viewer of the competition `slug`; Http404 where there is none."""
    return viewer_of(request.user, get_object_or_404(Competition, slug=slug))


def require_organizer(request: HttpRequest, slug: str) -> Viewer:
    """Return the viewer if they organize the competition; PermissionDenied (403) otherwise."""
    viewer = get_viewer(request, slug)
    if not viewer.organizer:
        raise PermissionDenied("This page is for the people who run the competition.")
    return viewer


def require_member(request: HttpRequest, slug: str) -> tuple[Viewer, Team, User]:
    """Return the viewer, their team and their user; Http404 for viewers without a team."""
    viewer = get_viewer(request, slug)
    if viewer.team is None or viewer.user is None:
        raise Http404
    return viewer, viewer.team, viewer.user
