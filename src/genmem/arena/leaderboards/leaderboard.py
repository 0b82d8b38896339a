"""The public and the private leaderboard, and how ranks changed."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from heapq import merge
from typing import Any, cast

from django.db.models import Count

from genmem.arena.competitions.models import Competition
from genmem.arena.leaderboards.cache import cached, leaderboard_state
from genmem.arena.leaderboards.finals import final_submissions
from genmem.arena.leaderboards.history import RankChange, ScoreEvent, rank_history
from genmem.arena.leaderboards.models import Decision, ScoreVersion
from genmem.arena.leaderboards.ranking import ScoredSubmission, rank, standing_of
from genmem.arena.leaderboards.scores import scored_submissions
from genmem.arena.submissions.models import Submission
from genmem.arena.teams.models import Team
from genmem.metrics.mifid import Standing

_CHUNK = 2000


@dataclass(frozen=True, kw_only=True)
class RankedTeam:
    """One team on a leaderboard.

    Attributes:
        rank: from 1; None for N/A.
        team_id: of the team.
        name: of the team.
        score: the team's best; None for N/A.
        received_at: when the best submission was received.
        submissions: how many scored submissions the team has.
        standing: of the best submission: not penalized, penalized, or a replay.
    """

    rank: int | None
    team_id: int
    name: str
    score: float | None
    received_at: datetime
    submissions: int
    standing: Standing


def leaderboard_rows(competition: Competition, kind: str, *, wait: bool = True) -> list[RankedTeam]:
    """Return the rows of a leaderboard, best first.

    Args:
        competition: whose leaderboard.
        kind: "public" (best of all scored submissions) or "private" (best of the finals).
        wait: whether to wait while another thread computes it (see `cache.cached`).
    """
    key = "leaderboard", competition.pk, kind
    return cached(key, leaderboard_state(), lambda: _compute(competition, kind), wait=wait)


def ranked_submissions(competition: Competition, kind: str) -> list[ScoredSubmission]:
    """The submissions that compete on a leaderboard: on the private one, only finals."""

    def compute() -> list[ScoredSubmission]:
        submissions = scored_submissions(competition, kind)
        if kind == "public":
            return submissions
        finals = final_submissions(competition)
        return [submission for submission in submissions if submission.id in finals]

    return cached(("competing", competition.pk, kind), leaderboard_state(), compute)


def team_rank_history(team: Team, kind: str = "public") -> list[RankChange]:
    """How a team's rank changed, by the best of all scores that each team had at the time."""
    competition, state = team.competition, leaderboard_state()
    events = cached(
        ("score events", competition.pk, kind),
        state,
        lambda: list(score_events(competition, kind, with_decisions=True)),
    )
    return cached(
        ("rank history", team.pk, kind), state, lambda: rank_history(events, team=team.pk)
    )


def score_events(
    competition: Competition, kind: str, *, with_decisions: bool
) -> Iterator[ScoreEvent]:
    """Every score ever computed on one split, in order of time.

    Args:
        competition: whose scores.
        kind: "public" or "private".
        with_decisions: whether decisions are events too: a submission has no score while it is
            disqualified.
    """
    scores = (
        ScoreVersion.objects.filter(split__competition=competition, split__kind=kind)
        .order_by("made_at", "pk")
        .values_list(
            *("made_at", "submission_id", "submission__team_id", "submission__received_at"),
            *("score", "fd", "distance", "tau", "fd_floor"),
        )
    )
    decisions = (
        Decision.objects.filter(submission__team__competition=competition)
        .order_by("at", "pk")
        .values_list("at", "submission_id", "kind")
    )
    sources: list[Iterator[tuple[Any, ...]]] = [scores.iterator(chunk_size=_CHUNK)]
    if with_decisions:
        sources.append(decisions.iterator(chunk_size=_CHUNK))
    known: dict[uuid.UUID, ScoredSubmission] = {}
    disqualified: set[uuid.UUID] = set()
    for at, pk, *values in merge(*sources, key=lambda row: row[0]):
        if len(values) == 1:
            change = disqualified.add if values[0] == "disqualified" else disqualified.discard
            change(pk)
        else:
            team, received_at, score, fd, distance, tau, fd_floor = values
            known[pk] = ScoredSubmission(
                team=team,
                id=str(pk),
                score=score,
                received_at=received_at,
                fd=fd,
                distance=distance,
                standing=standing_of(fd=fd, distance=distance, tau=tau, fd_floor=fd_floor),
            )
        if pk in known:
            yield at, replace(known[pk], score=None) if pk in disqualified else known[pk]


def _compute(competition: Competition, kind: str) -> list[RankedTeam]:
    names = dict(Team.objects.filter(competition=competition).values_list("pk", "name"))
    counts = dict(
        Submission.objects.filter(team__competition=competition, state="scored")
        .values_list("team_id")
        .annotate(Count("pk"))
    )
    rows = []
    for placement in rank(ranked_submissions(competition, kind)):
        best = placement.best
        team = cast(int, best.team)
        rows.append(
            RankedTeam(
                rank=placement.rank,
                team_id=team,
                name=names[team],
                score=best.score,
                received_at=best.received_at,
                submissions=counts.get(team, 0),
                standing=best.standing,
            )
        )
    return rows
