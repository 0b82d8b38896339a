"""The ranking rule; no Django here.

    A team's score is the best (lowest) of its submissions. Teams are ranked by it, lowest first; of
    equal scores the one received earlier ranks higher. Submissions without a score (N/A) come last.

On the public leaderboard all scored submissions of a team compete; on the private one its final
submissions (`finals.py`). Disqualified submissions are on neither.
"""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, kw_only=True)
class ScoredSubmission:
    """A submission with its score in force on one split.

    Attributes:
        team: id of the team.
        id: of the submission; ids can be sorted.
        score: lower is better; None or NaN is N/A.
        received_at: when the upload was complete.
        fd: Fréchet distance; None where there is none, or where it is not needed.
        distance: memorization distance; None as for `fd`.
        split: id of the split's version; None where it is not needed.
    """

    team: Hashable
    id: str
    score: float | None
    received_at: datetime
    fd: float | None = None
    distance: float | None = None
    split: int | None = None

    @cached_property
    def order(self) -> tuple[bool, float, datetime, str]:
        """The sorting key of the ranking rule; the id only makes the order unique."""
        if self.score is None or math.isnan(self.score):
            return True, 0.0, self.received_at, self.id
        return False, self.score, self.received_at, self.id


@dataclass(frozen=True, kw_only=True)
class Placement:
    """A team's place.

    Attributes:
        rank: from 1; None for N/A.
        best: the team's best submission.
        submissions: how many of the team's submissions competed.
    """

    rank: int | None
    best: ScoredSubmission
    submissions: int


def rank(submissions: Iterable[ScoredSubmission]) -> list[Placement]:
    """Rank teams: one placement for every team with a submission, best first, N/A last."""
    received = sorted(submissions, key=lambda submission: (submission.received_at, submission.id))
    codes: dict[Hashable, int] = {}
    teams = np.array([codes.setdefault(row.team, len(codes)) for row in received], dtype=np.int64)
    scores = np.array([row.score for row in received], dtype=np.float64)  # None becomes NaN
    counts = np.bincount(teams)
    return [
        Placement(
            rank=None if np.isnan(scores[row]) else place,
            best=received[row],
            submissions=int(counts[teams[row]]),
        )
        for place, row in enumerate(best_rows(teams, scores).tolist(), 1)
    ]


def best_rows(teams: NDArray[np.int64], scores: NDArray[np.float64]) -> NDArray[np.int64]:
    """Apply the ranking rule to arrays.

    Args:
        teams: team of each submission, int64 [n], in order of receipt.
        scores: score of each submission, float64 [n]; NaN is N/A.

    Returns:
        The row of each team's best submission, best first, N/A last, int64 [number of teams].
    """
    order = np.argsort(scores, kind="stable")  # stable: ties in order of receipt; NaN last
    _, first = np.unique(teams[order], return_index=True)
    return order[np.sort(first)]
