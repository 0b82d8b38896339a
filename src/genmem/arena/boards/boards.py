"""The boards, computed from the scores in force and kept until something changes."""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass
from datetime import datetime

from django.core.cache import cache
from django.db.models import Count, Max

from genmem.arena.boards.models import Final, ScoreVersion
from genmem.arena.boards.ranking import Entry, Moment, finals_of_all, rank, rank_history
from genmem.arena.boards.scores import entries
from genmem.arena.competitions.models import Competition
from genmem.arena.desk.models import LogEntry
from genmem.arena.people.models import Team
from genmem.arena.submissions.models import Submission

_SECONDS = 60
"""A board is computed anew after this long whatever happens."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One team on a board."""

    rank: int | None
    team_id: int
    name: str
    score: float | None
    received_at: datetime
    submissions: int


def board(competition: Competition, kind: str) -> list[Row]:
    """The public board (best of all scored submissions) or the private one (best of the finals)."""
    key = f"board-{competition.pk}-{kind}-{stamp()}"
    rows = cache.get(key)
    if rows is None:
        rows = _compute(competition, kind)
        cache.set(key, rows, _SECONDS)
    return rows


def stamp() -> str:
    """Changes whenever a score, a selection, a team or a setting does."""
    scores = ScoreVersion.objects.aggregate(last=Max("pk"), count=Count("pk"))
    log = LogEntry.objects.aggregate(last=Max("pk"), count=Count("pk"))
    return "-".join(str(one[name]) for one in (scores, log) for name in ("last", "count"))


def chosen_finals(competition: Competition) -> dict[Hashable, list[str]]:
    """The submissions each team chose; teams that chose none are not in it."""
    chosen: dict[Hashable, list[str]] = {}
    for team, submission in Final.objects.filter(team__competition=competition).values_list(
        "team_id", "submission_id"
    ):
        chosen.setdefault(team, []).append(str(submission))
    return chosen


def rank_history_of(team: Team, kind: str = "public") -> list[Moment]:
    """How a team's rank went, as scores were made: the best of all its scores at each time."""
    key = f"history-{team.pk}-{kind}-{stamp()}"
    moments = cache.get(key)
    if moments is None:
        moments = rank_history(_scored_in_time(team.competition, kind), team=team.pk)
        cache.set(key, moments, _SECONDS)
    return moments


def _scored_in_time(competition: Competition, kind: str) -> Iterator[tuple[datetime, Entry]]:
    """Every score version ever made on one side, with its time."""
    rows = (
        ScoreVersion.objects.filter(side__competition=competition, side__kind=kind)
        .order_by("made_at", "pk")
        .values_list(
            "made_at", "submission_id", "submission__team_id", "score", "submission__received_at"
        )
    )
    for made_at, submission, team, score, received_at in rows.iterator():
        entry = Entry(team=team, submission=str(submission), score=score, received_at=received_at)
        yield made_at, entry


def _compute(competition: Competition, kind: str) -> list[Row]:
    public = entries(competition, "public")
    ranked = public
    if kind == "private":
        finals = finals_of_all(public, chosen_finals(competition), count=competition.final_count)
        ranked = [one for one in entries(competition, "private") if one.submission in finals]
    names = dict(Team.objects.filter(competition=competition).values_list("pk", "name"))
    counts = dict(
        Submission.objects.filter(team__competition=competition, state="scored")
        .values_list("team_id")
        .annotate(Count("pk"))
    )
    return [
        Row(
            rank=placed.rank,
            team_id=int(str(placed.entry.team)),
            name=names[int(str(placed.entry.team))],
            score=placed.entry.score,
            received_at=placed.entry.received_at,
            submissions=counts.get(int(str(placed.entry.team)), 0),
        )
        for placed in rank(ranked)
    ]
