"""How ranks changed over time; no Django here.

Both functions replay (time, submission) pairs in order of time: a score was computed, and replaces
an earlier score of the same submission.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

from genmem.arena.leaderboards.ranking import Order, ScoredSubmission

ScoreEvent = tuple[datetime, ScoredSubmission]
"""When a score was computed, and the submission with it."""


@dataclass(frozen=True, kw_only=True)
class RankChange:
    """A team's rank from `at` on, among `teams` ranked teams; None: no score, or N/A."""

    at: datetime
    rank: int | None
    teams: int


@dataclass(frozen=True, kw_only=True)
class BestChange(RankChange):
    """From `at` on, `best` is its team's best submission, at `rank`."""

    best: ScoredSubmission


@dataclass
class _Leaderboard:
    """A leaderboard that is updated score by score."""

    submissions: dict[Hashable, dict[str, ScoredSubmission]] = field(default_factory=dict)
    best: dict[Hashable, ScoredSubmission] = field(default_factory=dict)
    ranked: list[Order] = field(default_factory=list)

    def add(self, submission: ScoredSubmission) -> bool:
        """Add a score, or replace that of the same submission; whether the team's best changed."""
        own = self.submissions.setdefault(submission.team, {})
        own[submission.id] = submission
        before = self.best.get(submission.team)
        best = min(own.values(), key=lambda candidate: candidate.order)
        if before is not None and before.order == best.order:
            return False
        if before is not None and not before.order[0]:
            del self.ranked[bisect_left(self.ranked, before.order)]
        if not best.order[0]:
            insort(self.ranked, best.order)
        self.best[submission.team] = best
        return True

    def rank(self, team: Hashable) -> int | None:
        """The team's rank now; None for N/A."""
        order = self.best[team].order
        return None if order[0] else 1 + bisect_left(self.ranked, order)


def rank_history(events: Iterable[ScoreEvent], *, team: Hashable) -> list[RankChange]:
    """Every change of one team's rank, in order of time, whichever team caused it."""
    leaderboard, changes = _Leaderboard(), []
    for at, submission in sorted(events, key=lambda event: event[0]):
        leaderboard.add(submission)
        if team not in leaderboard.best:
            continue
        rank = leaderboard.rank(team)
        if not changes or changes[-1].rank != rank:
            changes.append(RankChange(at=at, rank=rank, teams=len(leaderboard.ranked)))
    return changes


def best_changes(events: Iterable[ScoreEvent]) -> Iterator[BestChange]:
    """Every change of a team's best submission.

    The leaderboard at any moment is the newest change of each team up to it, ordered by score.
    Ranks that teams lose because others rise follow from these; listing them would multiply the
    length of the history by the number of teams.

    Args:
        events: in order of time.
    """
    leaderboard = _Leaderboard()
    for at, submission in events:
        if leaderboard.add(submission):
            yield BestChange(
                at=at,
                rank=leaderboard.rank(submission.team),
                teams=len(leaderboard.ranked),
                best=leaderboard.best[submission.team],
            )
