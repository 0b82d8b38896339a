"""How a board went, as the changes of each team's best entry; no Django here.

The board at any moment is the newest row of each team up to it, in order of score. Ranks that a
team lost because another rose are so in the rows without being rows: one row per team and change
keeps the history as long as the list of scores, and not that times the number of teams.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime

from genmem.arena.leaderboards.ranking import Entry


@dataclass(frozen=True, kw_only=True)
class Change:
    """From `at` on, `entry` is its team's best: at `rank` among `teams` ranked ones.

    `rank` is None where its score is N/A.
    """

    at: datetime
    entry: Entry
    rank: int | None
    teams: int


def changes(scored: Iterable[tuple[datetime, Entry]]) -> Iterator[Change]:
    """Every change of a team's best entry, in order.

    Args:
        scored: (when the score was made, the entry with it), in the order they were made; a later
            score of a submission replaces its earlier one.
    """
    entries: dict[Hashable, dict[str, Entry]] = {}
    best: dict[Hashable, Entry] = {}
    ranked: list[tuple[bool, float, datetime, str]] = []
    for at, entry in scored:
        own = entries.setdefault(entry.team, {})
        own[entry.submission] = entry
        before = best.get(entry.team)
        now = min(own.values(), key=lambda one: one.order)
        if before is not None and before.order == now.order:
            continue
        if before is not None and not before.order[0]:
            del ranked[bisect_left(ranked, before.order)]
        best[entry.team] = now
        if not now.order[0]:
            insort(ranked, now.order)
        rank = None if now.order[0] else 1 + bisect_left(ranked, now.order)
        yield Change(at=at, entry=now, rank=rank, teams=len(ranked))
