"""The rules for teams: create, invite, join, leave, merge. Each change is one transaction.

- A person is in at most one team of a competition; organizers and reviewers are in none.
- A team can be created until the competition closes. People join, and teams merge, until
  `merge_until`. Both captains must agree to a merge.
- Members can leave until the competition closes. When a captain leaves, the member who joined first
  becomes captain. A team without members keeps its submissions and its name.
- Two teams can merge only if together they have no more counted submissions than one team could
  have by now.

All functions raise RuleError where a rule forbids the change.
"""

from __future__ import annotations

import secrets
from datetime import UTC

from django.db import IntegrityError, transaction

from genmem.arena.accounts.models import User
from genmem.arena.auditlog.log import record
from genmem.arena.competitions.models import Competition
from genmem.arena.core import clock
from genmem.arena.core.errors import RuleError
from genmem.arena.core.formatting import moment
from genmem.arena.teams.models import Invitation, Membership, MergeRequest, Team
from genmem.arena.teams.permissions import viewer_of


def create_team(competition: Competition, user: User, name: str) -> Team:
    """Create a team with `user` as its captain."""
    if competition.phase() == "closed":
        raise RuleError("The competition has closed.")
    with transaction.atomic():
        _check_can_join(competition, user)
        if Team.objects.filter(competition=competition, name__iexact=name.strip()).exists():
            raise RuleError("Another team has this name. Choose a different one.")
        try:
            with transaction.atomic():
                team = Team.objects.create(competition=competition, name=name.strip())
                Membership.objects.create(team=team, user=user, captain=True)
        except IntegrityError:
            raise RuleError("Another team just took this name, or you are in a team.") from None
        record(competition, actor=user, action="create team", subject=team.name)
    return team


def invite(team: Team, by: User, email: str) -> Invitation:
    """Create an invitation, or return the open one to the same address."""
    _check_captain(team, by)
    _check_merge_deadline(team.competition)
    email = email.strip().lower()
    if Membership.objects.filter(team=team, user__email=email).exists():
        raise RuleError(f"{email} is already in the team.")
    with transaction.atomic():
        existing = Invitation.objects.filter(team=team, email=email, accepted_at=None).first()
        return existing or Invitation.objects.create(
            team=team, email=email, token=secrets.token_urlsafe(32)
        )


def withdraw_invitation(invitation: Invitation, by: User) -> None:
    """Delete an invitation that is still open."""
    _check_captain(invitation.team, by)
    if invitation.accepted_at is not None:
        raise RuleError(f"{invitation.email} has already joined.")
    invitation.delete()


def accept_invitation(invitation: Invitation, user: User) -> Team:
    """Add `user` to the team, if the invitation is theirs and still open."""
    team, competition = invitation.team, invitation.team.competition
    if user.email.lower() != invitation.email.lower():
        raise RuleError(f"This invitation is for {invitation.email}; sign in with that address.")
    with transaction.atomic():
        Team.objects.select_for_update().get(pk=team.pk)  # it may be merging into another
        current = Invitation.objects.select_for_update().filter(pk=invitation.pk).first()
        if current is None:
            raise RuleError("This invitation was just withdrawn.")
        if current.accepted_at is not None:
            raise RuleError("This invitation has been used.")
        _check_merge_deadline(competition)
        _check_can_join(competition, user)
        captain = not Membership.objects.filter(team=team).exists()
        Membership.objects.create(team=team, user=user, captain=captain)
        current.accepted_at = clock.now()
        current.save()
        record(competition, actor=user, action="join team", subject=team.name, after=user.email)
    return team


def leave(team: Team, user: User) -> None:
    """Remove `user` from the team; the member who joined first succeeds a captain."""
    if team.competition.phase() == "closed":
        raise RuleError("The competition has closed: teams can no longer change.")
    with transaction.atomic():
        Membership.objects.get(team=team, user=user).delete()
        remaining = Membership.objects.filter(team=team).order_by("pk")
        if remaining.exists() and not remaining.filter(captain=True).exists():
            Membership.objects.filter(pk=remaining[0].pk).update(captain=True)
        record(
            team.competition, actor=user, action="leave team", subject=team.name, before=user.email
        )


def request_merge(team: Team, by: User, name: str) -> MergeRequest:
    """Ask the team called `name` to take `team` in; their captain decides."""
    _check_captain(team, by)
    _check_merge_deadline(team.competition)
    into = Team.objects.filter(
        competition=team.competition, name__iexact=name.strip(), memberships__isnull=False
    ).first()
    if into is None:
        raise RuleError(
            f"There is no team called {name.strip()!r}. Copy its name from the leaderboard."
        )
    if into.pk == team.pk:
        raise RuleError("This is your own team's name.")
    _check_submission_count(team, into)
    return MergeRequest.objects.get_or_create(team=team, into=into, accepted_at=None)[0]


def cancel_merge(merge: MergeRequest, by: User) -> None:
    """Withdraw or decline a request to merge; the captain of either team may."""
    if merge.accepted_at is not None:
        raise RuleError("The teams have already merged.")
    if not _is_captain(merge.team, by) and not _is_captain(merge.into, by):
        raise RuleError("Only the captains of the two teams may do this.")
    merge.delete()


def accept_merge(merge: MergeRequest, by: User) -> Team:
    """Move members, submissions and uploads of `merge.team` to `merge.into`.

    The final submissions of `merge.into` stay; those of the other team are deleted.
    """
    team, into = merge.team, merge.into
    _check_captain(into, by)
    with transaction.atomic():
        # In one order, and with the same locks as `receive`: each waits for the other.
        list(Team.objects.select_for_update().filter(pk__in=(team.pk, into.pk)).order_by("pk"))
        current = MergeRequest.objects.select_for_update().filter(pk=merge.pk).first()
        if current is None:
            raise RuleError("The request to merge was just cancelled.")
        if current.accepted_at is not None:
            raise RuleError("The teams have already merged.")
        _check_captain(into, by)
        _check_merge_deadline(into.competition)
        _check_submission_count(team, into)
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
        open_requests = MergeRequest.objects.filter(accepted_at=None)
        open_requests.filter(team=team).exclude(pk=current.pk).delete()
        open_requests.filter(into=team).delete()
        current.accepted_at = clock.now()
        current.save()
        record(
            into.competition,
            actor=by,
            action="merge teams",
            subject=f"{team.name} into {into.name}",
            before=before,
            after={"team": into.name},
        )
    return into


def _is_captain(team: Team, user: User) -> bool:
    return Membership.objects.filter(team=team, user=user, captain=True).exists()


def _check_captain(team: Team, user: User) -> None:
    if not _is_captain(team, user):
        raise RuleError("Only the team's captain may do this.")


def _check_merge_deadline(competition: Competition) -> None:
    if not competition.may_regroup():
        until = min(competition.merge_until, competition.closes_at)
        raise RuleError(f"Teams could grow and merge until {moment(until)}.")


def _check_can_join(competition: Competition, user: User) -> None:
    viewer = viewer_of(user, competition)
    if viewer.reviewer:
        raise RuleError("Organizers and reviewers of a competition cannot take part in it.")
    if viewer.team is not None:
        raise RuleError(f"You are in the team {viewer.team.name}; leave it first, or merge.")


def _check_submission_count(team: Team, into: Team) -> None:
    competition = into.competition
    opened = competition.opens_at.astimezone(UTC).date()
    days = max(0, (clock.now().astimezone(UTC).date() - opened).days) + 1
    limit = days * competition.daily_limit
    count = sum(t.submissions.filter(counts_against_limit=True).count() for t in (team, into))
    if count > limit:
        raise RuleError(
            f"Together the teams have {count:,} submissions, more than the {limit:,} that one "
            "team could have by now. Try again on a later day."
        )
