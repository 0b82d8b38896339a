"""Ranks by the written rule; no Django here.

    A team's score is the best (lowest) of its entries. Teams are ranked by it, lowest first; of
    equal scores the one received earlier stands higher. Entries without a score (N/A) come last,
    whatever else happens.

On the public board a team's entries are all its scored submissions; on the private board they are
its final selections. Disqualified submissions are in neither: one that was a final is not replaced
by another.
"""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One submission of one team, with its score on the split that is ranked.

    Attributes:
        team, submission: their ids; submissions' ids can be sorted.
        score: lower is better; None (or not a number) is N/A.
        received_at: when the submission was complete here.
    """

    team: Hashable
    submission: str
    score: float | None
    received_at: datetime

    @property
    def order(self) -> tuple[bool, float, datetime, str]:
        """The key that entries are ranked by; the id only keeps the order fixed."""
        if self.score is None or math.isnan(self.score):
            return True, 0.0, self.received_at, self.submission
        return False, self.score, self.received_at, self.submission


@dataclass(frozen=True, kw_only=True)
class Placed:
    """A team's place: its best entry, its rank from 1, and how many entries it had.

    `rank` is None for N/A.
    """

    rank: int | None
    entry: Entry
    entries: int


def rank(entries: Iterable[Entry]) -> list[Placed]:
    """One place per team, best first; every team with an entry is in it, N/A last."""
    best: dict[Hashable, Entry] = {}
    counts: dict[Hashable, int] = {}
    for entry in entries:
        counts[entry.team] = counts.get(entry.team, 0) + 1
        if entry.team not in best or entry.order < best[entry.team].order:
            best[entry.team] = entry
    ordered = sorted(best.values(), key=lambda entry: entry.order)
    return [
        Placed(
            rank=None if entry.order[0] else place,
            entry=entry,
            entries=counts[entry.team],
        )
        for place, entry in enumerate(ordered, 1)
    ]


def default_finals(entries: Iterable[Entry], *, count: int) -> list[Entry]:
    """The final selections of a team that chose none: its `count` best by public score.

    Args:
        entries: the team's submissions with their public scores.
        count: how many a team may choose.
    """
    return sorted(entries, key=lambda entry: entry.order)[:count]


def finals_of_all(
    public: Iterable[Entry], chosen: Mapping[Hashable, Sequence[str]], *, count: int
) -> set[str]:
    """The submissions that stand for their teams: chosen ones, or the default where none were.

    Args:
        public: every team's submissions with their public scores.
        chosen: submissions chosen by each team.
        count: how many a team may choose.
    """
    teams: dict[Hashable, list[Entry]] = {}
    for entry in public:
        teams.setdefault(entry.team, []).append(entry)
    finals: set[str] = set()
    for team, entries in teams.items():
        picked = chosen.get(team) or [
            entry.submission for entry in default_finals(entries, count=count)
        ]
        finals.update(picked)
    return finals


@dataclass(frozen=True, kw_only=True)
class Moment:
    """A team's rank from `at` on, among `teams` ranked teams; None: no score, or N/A."""

    at: datetime
    rank: int | None
    teams: int


def rank_history(scored: Iterable[tuple[datetime, Entry]], *, team: Hashable) -> list[Moment]:
    """How one team's rank went, from scores in the order they were made.

    A later score of a submission replaces its earlier one. A moment is listed when the rank
    changes.

    Args:
        scored: (when the score was made, the entry with it).
        team: whose rank.
    """
    entries: dict[Hashable, dict[str, Entry]] = {}
    best: dict[Hashable, Entry] = {}
    ranked: list[tuple[bool, float, datetime, str]] = []
    moments: list[Moment] = []
    for at, entry in sorted(scored, key=lambda item: item[0]):
        if entry.team in best and not best[entry.team].order[0]:
            del ranked[bisect_left(ranked, best[entry.team].order)]
        own = entries.setdefault(entry.team, {})
        own[entry.submission] = entry
        best[entry.team] = min(own.values(), key=lambda one: one.order)
        if not best[entry.team].order[0]:
            insort(ranked, best[entry.team].order)
        if team not in best:
            continue
        mine = best[team].order
        place = None if mine[0] else 1 + bisect_left(ranked, mine)
        if not moments or moments[-1].rank != place:
            moments.append(Moment(at=at, rank=place, teams=len(ranked)))
    return moments
