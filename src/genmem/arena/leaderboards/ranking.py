"""The ranking rule; no Django here.

    A team's score is that of its best submission. Submissions that are not penalized come first,
    the lowest score first; then penalized ones, those farther from the training set first; then
    replays of the training set, whose scores mean nothing (`genmem.metrics.mifid.Standing` says
    why); submissions without a score (N/A) come last. Of equals the one received earlier ranks
    higher.

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

from genmem.metrics.mifid import Standing, ranking, ranking_key, standing

Order = tuple[bool, int, float, datetime, str]
"""A sorting key of the ranking rule; the first item is whether there is no score."""


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
        fd_floor: FD up to which it is 0 but for rounding; None where it is not known.
        split: id of the split's version; None where it is not needed.
        standing: whether it is penalized or a replay of the training set.
    """

    team: Hashable
    id: str
    score: float | None
    received_at: datetime
    fd: float | None = None
    distance: float | None = None
    fd_floor: float | None = None
    split: int | None = None
    standing: Standing = Standing.UNPENALIZED

    @cached_property
    def order(self) -> Order:
        """The sorting key of the ranking rule; the id only makes the order unique."""
        if self.score is None or math.isnan(self.score):
            return True, 0, 0.0, self.received_at, self.id
        key = ranking_key(score=self.score, distance=self.distance, standing=self.standing)
        return False, *key, self.received_at, self.id


def standing_of(
    *, fd: float | None, distance: float | None, tau: float, fd_floor: float | None
) -> Standing:
    """The standing of one submission; None where there is no number. See `standing`."""
    return Standing(int(standing(fd=fd, distance=distance, tau=tau, floor=fd_floor)))


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
    places = ranking(  # None becomes NaN
        score=np.array([row.score for row in received], dtype=np.float64),
        distance=np.array([row.distance for row in received], dtype=np.float64),
        standing=np.array([row.standing for row in received], dtype=np.int8),
    )
    counts = np.bincount(teams)
    return [
        Placement(
            rank=None if np.isnan(places[row]) else place,
            best=received[row],
            submissions=int(counts[teams[row]]),
        )
        for place, row in enumerate(best_rows(teams, places).tolist(), 1)
    ]


def best_rows(teams: NDArray[np.int64], places: NDArray[np.float64]) -> NDArray[np.int64]:
    """Apply the ranking rule to arrays.

    Args:
        teams: team of each submission, int64 [n], in order of receipt.
        places: of each submission among all, of `ranking`, float64 [n]; NaN is N/A.

    Returns:
        The row of each team's best submission, best first, N/A last, int64 [number of teams].
    """
    order = np.argsort(places, kind="stable")  # stable: ties in order of receipt; NaN last
    _, first = np.unique(teams[order], return_index=True)
    return order[np.sort(first)]
