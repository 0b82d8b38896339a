"""Which submissions count as final, and how a team chooses them.

    A team may choose up to `final_count` of its scored submissions until the competition closes.
    If it chose none, its `final_count` best by public score are its finals. A disqualified final
    is not replaced by another submission.

`final_submissions` applies this rule; everything that depends on finals calls it.
"""

from __future__ import annotations

import uuid
from collections.abc import Hashable, Iterable, Mapping, Sequence

from django.db import transaction

from genmem.arena.accounts.models import User
from genmem.arena.auditlog.log import record
from genmem.arena.auditlog.models import LogEntry
from genmem.arena.competitions.models import Competition
from genmem.arena.core import clock
from genmem.arena.core.errors import RuleError
from genmem.arena.core.formatting import moment
from genmem.arena.leaderboards.cache import cached, score_state
from genmem.arena.leaderboards.models import Final
from genmem.arena.leaderboards.ranking import ScoredSubmission
from genmem.arena.leaderboards.scores import scored_submissions
from genmem.arena.submissions.models import Submission
from genmem.arena.teams.models import Membership, Team
from genmem.formatting import count

CHOOSE = "choose finals"
"""The audit log's action."""


def final_submissions(competition: Competition) -> set[str]:
    """Ids of the final submissions of all teams, disqualified ones included."""

    def compute() -> set[str]:
        public = scored_submissions(competition, "public", with_disqualified=True)
        return select_finals(public, _chosen(competition), count=competition.final_count)

    choices = LogEntry.objects.filter(action=CHOOSE).count()
    state = (*score_state(), choices, competition.final_count)
    return cached(("finals", competition.pk), state, compute)


def select_finals(
    public: Iterable[ScoredSubmission], chosen: Mapping[Hashable, Sequence[str]], *, count: int
) -> set[str]:
    """Apply the rule: the chosen submissions of each team, or its best by public score.

    Args:
        public: all scored submissions with their public scores.
        chosen: ids of the submissions that each team chose; teams that chose none are missing.
        count: how many a team may choose.

    Returns:
        Ids of the final submissions.
    """
    teams: dict[Hashable, list[ScoredSubmission]] = {}
    for submission in public:
        teams.setdefault(submission.team, []).append(submission)
    finals: set[str] = set()
    for team, submissions in teams.items():
        best = sorted(submissions, key=lambda submission: submission.order)[:count]
        finals.update(chosen.get(team) or [submission.id for submission in best])
    return finals


def finals_of(team: Team) -> tuple[set[uuid.UUID], bool]:
    """The team's final submissions, and whether it chose them itself."""
    chosen = set(Final.objects.filter(team=team).values_list("submission_id", flat=True))
    if chosen:
        return chosen, True
    public = scored_submissions(team.competition, "public", with_disqualified=True)
    own = {submission.id for submission in public if submission.team == team.pk}
    return {uuid.UUID(pk) for pk in final_submissions(team.competition) & own}, False


def choose_finals(team: Team, user: User, submissions: Iterable[uuid.UUID]) -> list[Submission]:
    """Replace the team's choice of finals; an empty choice restores the default.

    Raises:
        RuleError: the competition has closed, `user` is not a member, there are too many
            submissions, or one is not a scored submission of the team.
    """
    competition = team.competition
    at = clock.now()
    ids = set(submissions)
    with transaction.atomic():
        Team.objects.select_for_update().get(pk=team.pk)
        if not Membership.objects.filter(team=team, user=user).exists():
            raise RuleError(f"You are not in the team {team.name}.")
        if at > competition.closes_at:
            raise RuleError(
                f"Finals could be chosen until {moment(competition.closes_at)}; by the server's "
                f"clock it is {moment(at, seconds=True)}."
            )
        if len(ids) > competition.final_count:
            raise RuleError(
                f"Choose {count(competition.final_count, 'submission')} at most, not {len(ids)}."
            )
        chosen = list(Submission.objects.filter(pk__in=ids, team=team, state="scored"))
        if len(chosen) != len(ids):
            raise RuleError("Only scored submissions of your own team can be finals.")
        current = Final.objects.filter(team=team)
        before = sorted(map(str, current.values_list("submission_id", flat=True)))
        after = sorted(str(submission.pk) for submission in chosen)
        if before != after:
            current.delete()
            Final.objects.bulk_create(
                Final(team=team, submission=submission, chosen_at=at) for submission in chosen
            )
            record(
                competition,
                actor=user,
                action=CHOOSE,
                subject=team.name,
                before=before,
                after=after,
            )
    return chosen


def _chosen(competition: Competition) -> dict[Hashable, list[str]]:
    """Ids of the submissions that each team chose."""
    chosen: dict[Hashable, list[str]] = {}
    for team, submission in Final.objects.filter(team__competition=competition).values_list(
        "team_id", "submission_id"
    ):
        chosen.setdefault(team, []).append(str(submission))
    return chosen
