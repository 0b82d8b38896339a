"""How teams are made, grow, lose people and merge: every rule, in one transaction each.

- A person is in one team of a competition at most; whoever runs or reviews it is in none.
- A team can be made until the competition closes. People join, and teams merge, until
  `merge_until`. Both captains must agree to a merge.
- Members leave until the competition closes. A captain who leaves is followed by whoever joined
  first. A team nobody is left in keeps its submissions and its name.
- Two teams merge only if together they have had no more submissions counted than one team could
  have by then.
"""

from __future__ import annotations

import secrets
from datetime import UTC

from django.db import IntegrityError, transaction

from genmem.arena.accounts.models import User
from genmem.arena.auditlog.log import record
from genmem.arena.competitions.models import Competition
from genmem.arena.core import clock
from genmem.arena.core.formatting import moment
from genmem.arena.teams.models import Invitation, Membership, Merge, Team
from genmem.arena.teams.permissions import viewer_of
from genmem.errors import GenmemError


class TeamError(GenmemError):
    """A rule of teams stands against it; the message says which, to the person who asked."""


def create_team(competition: Competition, user: User, name: str) -> Team:
    """A new team with `user` as its captain."""
    if competition.phase() == "closed":
        raise TeamError("The competition has closed.")
    with transaction.atomic():
        _refuse_unfit(competition, user)
        if Team.objects.filter(competition=competition, name__iexact=name.strip()).exists():
            raise TeamError("Another team has this name. Choose a different one.")
        try:
            with transaction.atomic():
                team = Team.objects.create(competition=competition, name=name.strip())
                Membership.objects.create(team=team, user=user, captain=True)
        except IntegrityError:
            raise TeamError("Another team took this name just now, or you are in one.") from None
        record(competition, actor=user, action="create team", subject=team.name)
    return team


def invite(team: Team, by: User, email: str) -> Invitation:
    """A new invitation; the one to the same address that is still open, if there is one."""
    _refuse_unless_captain(team, by)
    _refuse_regrouping(team.competition)
    email = email.strip().lower()
    if Membership.objects.filter(team=team, user__email=email).exists():
        raise TeamError(f"{email} is in the team already.")
    with transaction.atomic():
        found = Invitation.objects.filter(team=team, email=email, accepted_at=None).first()
        return found or Invitation.objects.create(
            team=team, email=email, token=secrets.token_urlsafe(32)
        )


def withdraw_invitation(invitation: Invitation, by: User) -> None:
    """Take an invitation back that was not accepted yet."""
    _refuse_unless_captain(invitation.team, by)
    if invitation.accepted_at is not None:
        raise TeamError(f"{invitation.email} has joined already.")
    invitation.delete()


def accept_invitation(invitation: Invitation, user: User) -> Team:
    """`user` joins the team, if the invitation is theirs and still open."""
    team, competition = invitation.team, invitation.team.competition
    if user.email.lower() != invitation.email.lower():
        raise TeamError(f"This invitation is for {invitation.email}; sign in with that address.")
    with transaction.atomic():
        Team.objects.select_for_update().get(pk=team.pk)  # it may be merging into another
        found = Invitation.objects.select_for_update().filter(pk=invitation.pk).first()
        if found is None:
            raise TeamError("This invitation was taken back just now.")
        invitation = found
        if invitation.accepted_at is not None:
            raise TeamError("This invitation has been used.")
        _refuse_regrouping(competition)
        _refuse_unfit(competition, user)
        captain = not Membership.objects.filter(team=team).exists()
        Membership.objects.create(team=team, user=user, captain=captain)
        invitation.accepted_at = clock.now()
        invitation.save()
        record(competition, actor=user, action="join team", subject=team.name, after=user.email)
    return team


def leave(team: Team, user: User) -> None:
    """`user` leaves; the next captain is whoever joined first."""
    if team.competition.phase() == "closed":
        raise TeamError("The competition has closed: teams stay as they are.")
    with transaction.atomic():
        Membership.objects.get(team=team, user=user).delete()
        following = Membership.objects.filter(team=team).order_by("pk")
        if following.exists() and not following.filter(captain=True).exists():
            Membership.objects.filter(pk=following[0].pk).update(captain=True)
        record(
            team.competition, actor=user, action="leave team", subject=team.name, before=user.email
        )


def ask_to_merge(team: Team, by: User, name: str) -> Merge:
    """Ask the team called `name` to take `team` in."""
    _refuse_unless_captain(team, by)
    _refuse_regrouping(team.competition)
    into = Team.objects.filter(
        competition=team.competition, name__iexact=name.strip(), memberships__isnull=False
    ).first()
    if into is None:
        raise TeamError(f"There is no team called {name.strip()!r}. Take its name from the board.")
    if into.pk == team.pk:
        raise TeamError("This is your own team's name.")
    _refuse_too_many(team, into)
    return Merge.objects.get_or_create(team=team, into=into, accepted_at=None)[0]


def drop_merge(merge: Merge, by: User) -> None:
    """Take a request to merge back, or decline it: either captain may."""
    if merge.accepted_at is not None:
        raise TeamError("The teams have merged already.")
    if not _captain(merge.team, by) and not _captain(merge.into, by):
        raise TeamError("Only a captain of the two teams may do this.")
    merge.delete()


def accept_merge(merge: Merge, by: User) -> Team:
    """The people and submissions of `merge.team` become those of `merge.into`.

    The final selections of `merge.into` stand; those of the other team are dropped.
    """
    team, into = merge.team, merge.into
    _refuse_unless_captain(into, by)
    with transaction.atomic():
        # As an upload does that is received, and in one order: each waits for the other.
        list(Team.objects.select_for_update().filter(pk__in=(team.pk, into.pk)).order_by("pk"))
        found = Merge.objects.select_for_update().filter(pk=merge.pk).first()
        if found is None:
            raise TeamError("The request to merge was taken back just now.")
        merge = found
        if merge.accepted_at is not None:
            raise TeamError("The teams have merged already.")
        _refuse_unless_captain(into, by)
        _refuse_regrouping(into.competition)
        _refuse_too_many(team, into)
        members = Membership.objects.filter(team=team)
        before = {
            "members": list(members.values_list("user__email", flat=True)),
            "submissions": list(team.submissions.values_list("pk", flat=True)),
            "finals": list(team.finals.values_list("submission", flat=True)),
        }
        team.finals.all().delete()
        team.submissions.update(team=into)
        team.uploads.update(team=into)
        members.update(team=into, captain=False)
        Invitation.objects.filter(team=team, accepted_at=None).delete()
        Merge.objects.filter(team=team, accepted_at=None).exclude(pk=merge.pk).delete()
        Merge.objects.filter(into=team, accepted_at=None).delete()
        merge.accepted_at = clock.now()
        merge.save()
        record(
            into.competition,
            actor=by,
            action="merge teams",
            subject=f"{team.name} into {into.name}",
            before=before,
            after={"team": into.name},
        )
    return into


def _captain(team: Team, user: User) -> bool:
    return Membership.objects.filter(team=team, user=user, captain=True).exists()


def _refuse_unless_captain(team: Team, user: User) -> None:
    if not _captain(team, user):
        raise TeamError("Only the team's captain may do this.")


def _refuse_regrouping(competition: Competition) -> None:
    if not competition.may_regroup():
        until = min(competition.merge_until, competition.closes_at)
        raise TeamError(f"Teams could grow and merge until {moment(until)}.")


def _refuse_unfit(competition: Competition, user: User) -> None:
    viewer = viewer_of(user, competition)
    if viewer.reviewer:
        raise TeamError("Whoever runs or reviews a competition cannot take part in it.")
    if viewer.team is not None:
        raise TeamError(f"You are in the team {viewer.team.name}; leave it first, or merge.")


def _refuse_too_many(team: Team, into: Team) -> None:
    competition = into.competition
    opened = competition.opens_at.astimezone(UTC).date()
    days = max(0, (clock.now().astimezone(UTC).date() - opened).days) + 1
    allowed = days * competition.daily_limit
    counted = sum(one.submissions.filter(counts_against_limit=True).count() for one in (team, into))
    if counted > allowed:
        raise TeamError(
            f"Together the teams have {counted:,} submissions, more than the {allowed:,} that one "
            "team could have by now. Wait until there is room."
        )
