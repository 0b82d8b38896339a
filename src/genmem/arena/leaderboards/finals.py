"""Final selections: up to k of a team's scored submissions, changeable until the deadline."""

from __future__ import annotations

import uuid
from collections.abc import Iterable

from django.db import transaction

from genmem.arena.accounts.models import User
from genmem.arena.auditlog.log import record
from genmem.arena.core import clock
from genmem.arena.core.formatting import moment
from genmem.arena.leaderboards.models import Final
from genmem.arena.leaderboards.ranking import default_finals
from genmem.arena.leaderboards.scores import entries
from genmem.arena.submissions.models import Submission
from genmem.arena.teams.models import Membership, Team
from genmem.errors import GenmemError
from genmem.formatting import count


class FinalsError(GenmemError):
    """The selection is not taken; the message says why."""


def choose_finals(team: Team, user: User, submissions: Iterable[uuid.UUID]) -> list[Submission]:
    """Make these the team's finals, in place of any it chose before; none leaves the default."""
    competition = team.competition
    at = clock.now()
    wanted = set(submissions)
    with transaction.atomic():
        Team.objects.select_for_update().get(pk=team.pk)
        if not Membership.objects.filter(team=team, user=user).exists():
            raise FinalsError(f"You are not in the team {team.name}.")
        if at > competition.closes_at:
            raise FinalsError(
                f"Finals could be chosen until {moment(competition.closes_at)}; by the server's "
                f"clock it is {moment(at, seconds=True)}."
            )
        if len(wanted) > competition.final_count:
            raise FinalsError(
                f"Choose {count(competition.final_count, 'submission')} at most, not {len(wanted)}."
            )
        found = list(Submission.objects.filter(pk__in=wanted, team=team, state="scored"))
        if len(found) != len(wanted):
            raise FinalsError("Only scored submissions of your own team can be finals.")
        standing = Final.objects.filter(team=team)
        before = sorted(map(str, standing.values_list("submission_id", flat=True)))
        after = sorted(str(one.pk) for one in found)
        if before != after:
            standing.delete()
            Final.objects.bulk_create(
                Final(team=team, submission=one, chosen_at=at) for one in found
            )
            record(
                competition,
                actor=user,
                action="choose finals",
                subject=team.name,
                before=before,
                after=after,
            )
    return found


def finals_of(team: Team) -> tuple[set[uuid.UUID], bool]:
    """The submissions that stand for a team now, and whether it chose them itself."""
    chosen = set(Final.objects.filter(team=team).values_list("submission_id", flat=True))
    if chosen:
        return chosen, True
    public = entries(team.competition, "public", with_disqualified=True)
    own = [one for one in public if one.team == team.pk]
    picked = default_finals(own, count=team.competition.final_count)
    return {uuid.UUID(one.submission) for one in picked}, False
