"""Which submissions to review next, so that fewest reviews make the top k clean; no Django here.

    The top k is clean when each of its entries is agreed to be legitimate. Entries agreed to copy
    fall, and those below move up.

Whoever stands in the top k now can only rise while others fall, until it is reviewed itself. So
each unsettled entry of the top k has to be reviewed whatever the others turn out to be, and nothing
else has to be yet: reviewing these first, the best first, never wastes a review.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from genmem.arena.leaderboards.ranking import Entry, rank
from genmem.arena.moderation.consensus import NOT_REVIEWED, Verdict


@dataclass(frozen=True)
class Item:
    """An entry to be reviewed: its rank once all that are agreed to copy have fallen."""

    rank: int
    entry: Entry
    verdict: Verdict


@dataclass(frozen=True)
class Queue:
    """What is left to do until the top `top` of a board is clean.

    Attributes:
        now: unsettled entries of the top, best first: each has to be reviewed.
        then: entries that move into the top if every suspect in it falls, best first.
        fallen: entries agreed to copy that take a place of the top, best first: they wait for the
            organiser's decision.
        clean: how many of the top are agreed to be legitimate.
        standing: how many entries the top has; fewer than `top` on a small board.
        reviews: how many reviews are left at least: as many as it takes if none of `now` copies.
    """

    top: int
    now: Sequence[Item]
    then: Sequence[Item]
    fallen: Sequence[Item]
    clean: int
    standing: int
    reviews: int

    @property
    def done(self) -> bool:
        """Whether the top is clean: everything in it is settled, and nothing waits to fall."""
        return not self.now and not self.fallen


def review_queue(entries: Sequence[Entry], verdicts: Mapping[str, Verdict], *, top: int) -> Queue:
    """What is left to review.

    Args:
        entries: those that stand for their teams on the board; disqualified ones are not in it.
        verdicts: by submission; those without a label may be missing.
        top: k; entries without a score (N/A) are never in it.
    """

    def of(entry: Entry) -> Verdict:
        return verdicts.get(entry.submission, NOT_REVIEWED)

    standing = _top([one for one in entries if not of(one).copying], of, top)
    now = [item for item in standing if not item.verdict.label]
    suspects = {item.entry.submission for item in now if item.verdict.suspect}
    then: list[Item] = []
    if suspects:
        inside = {item.entry.submission for item in standing}
        left = [one for one in entries if not of(one).copying and one.submission not in suspects]
        then = [
            item
            for item in _top(left, of, top)
            if item.entry.submission not in inside and not item.verdict.label
        ]
    return Queue(
        top=top,
        now=now,
        then=then,
        fallen=_fallen(entries, of, standing, top),
        clean=sum(item.verdict.clean for item in standing),
        standing=len(standing),
        reviews=sum(item.verdict.needed for item in now),
    )


def _fallen(
    entries: Sequence[Entry], of: Callable[[Entry], Verdict], standing: Sequence[Item], top: int
) -> list[Item]:
    """Entries agreed to copy that keep a place of the top from those that deserve it."""
    best = {
        placed.entry.team: placed.entry.order
        for placed in rank(one for one in entries if not of(one).copying)
    }
    last = standing[-1].entry.order if len(standing) == top else None
    placed = [one.entry.order for one in rank(entries)]
    return [
        Item(rank=1 + bisect_left(placed, one.order), entry=one, verdict=of(one))
        for one in sorted(entries, key=lambda one: one.order)
        if of(one).copying
        and not one.order[0]
        and (last is None or one.order < last)
        and (one.team not in best or one.order < best[one.team])
    ]


def entries_reviewed(entries: Sequence[Entry], copies: Callable[[Entry], bool], *, top: int) -> int:
    """How many entries are reviewed, following the queue, until the top is clean.

    Args:
        entries: those that stand for their teams.
        copies: what a review of an entry finds.
        top: k.
    """
    standing = list(entries)
    reviewed: set[str] = set()
    while True:
        placed = rank(standing)[:top]
        new = [
            one.entry
            for one in placed
            if one.rank is not None and one.entry.submission not in reviewed
        ]
        if not new:
            return len(reviewed)
        reviewed.update(one.submission for one in new)
        fallen = {one.submission for one in new if copies(one)}
        standing = [one for one in standing if one.submission not in fallen]


def _top(entries: Sequence[Entry], of: Callable[[Entry], Verdict], top: int) -> list[Item]:
    return [
        Item(rank=placed.rank, entry=placed.entry, verdict=of(placed.entry))
        for placed in rank(entries)[:top]
        if placed.rank is not None
    ]
