"""The boards, computed from the scores in force and kept until something changes."""

from __future__ import annotations

import uuid
from collections.abc import Hashable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from heapq import merge

from django.db.models import Count

from genmem.arena.auditlog.models import LogEntry
from genmem.arena.competitions.models import Competition
from genmem.arena.leaderboards.cache import kept, score_stamp, stamp
from genmem.arena.leaderboards.models import Decision, Final, ScoreVersion
from genmem.arena.leaderboards.ranking import Entry, Moment, finals_of_all, rank, rank_history
from genmem.arena.leaderboards.scores import entries
from genmem.arena.submissions.models import Submission
from genmem.arena.teams.models import Team


@dataclass(frozen=True, kw_only=True)
class Row:
    """One team on a board."""

    rank: int | None
    team_id: int
    name: str
    score: float | None
    received_at: datetime
    submissions: int


def board(competition: Competition, kind: str, *, wait: bool = True) -> list[Row]:
    """The public board (best of all scored submissions) or the private one (best of the finals).

    While one thread ranks anew, others who do not `wait` have the board as it was a moment ago.
    """
    name = "board", competition.pk, kind
    return kept(name, stamp(), lambda: _compute(competition, kind), wait=wait)


def standing(competition: Competition) -> set[str]:
    """The submissions that stand for their teams on the private board, by the written rule.

    Disqualified ones are among them: they are not replaced.
    """

    def find() -> set[str]:
        public = entries(competition, "public", with_disqualified=True)
        return finals_of_all(public, chosen_finals(competition), count=competition.final_count)

    changes = LogEntry.objects.filter(action="choose finals").count()
    now = (*score_stamp(), changes, competition.final_count)
    return kept(("standing", competition.pk), now, find)


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
    competition, now = team.competition, stamp()
    scored = kept(
        ("in time", competition.pk, kind), now, lambda: list(_scored_in_time(competition, kind))
    )
    return kept(("history", team.pk, kind), now, lambda: rank_history(scored, team=team.pk))


def _scored_in_time(competition: Competition, kind: str) -> Iterator[tuple[datetime, Entry]]:
    """Every score version ever made on one split, with its time, and every decision: an entry is
    without a score while it is disqualified.
    """
    scores = (
        ScoreVersion.objects.filter(split__competition=competition, split__kind=kind)
        .order_by("made_at", "pk")
        .values_list(
            "made_at", "submission_id", "submission__team_id", "score", "submission__received_at"
        )
    )
    decisions = (
        Decision.objects.filter(submission__team__competition=competition)
        .order_by("at", "pk")
        .values_list("at", "submission_id", "kind")
    )
    known: dict[uuid.UUID, Entry] = {}
    gone: set[uuid.UUID] = set()
    for at, submission, *rest in merge(scores, decisions, key=lambda row: row[0]):
        if len(rest) == 1:
            (gone.add if rest[0] == "disqualified" else gone.discard)(submission)
        else:
            team, score, received_at = rest
            known[submission] = Entry(
                team=team, submission=str(submission), score=score, received_at=received_at
            )
        if submission in known:
            entry = known[submission]
            yield at, replace(entry, score=None) if submission in gone else entry


def _compute(competition: Competition, kind: str) -> list[Row]:
    ranked = entries(competition, kind)
    if kind == "private":
        finals = standing(competition)
        ranked = [one for one in ranked if one.submission in finals]
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
