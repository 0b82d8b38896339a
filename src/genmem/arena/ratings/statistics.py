"""Means of ratings with intervals, and the agreement among raters; no Django here."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean, variance

import numpy as np
from numpy.typing import NDArray

from genmem.arena.ratings.questions import SCALE
from genmem.arena.ratings.reliability import RatingRecord
from genmem.results import Interval

LEVEL = 0.95
RESAMPLES = 1000


@dataclass(frozen=True, kw_only=True)
class MeanRating:
    """The ratings of one submission on one question.

    Attributes:
        n: number of ratings.
        value: their mean; None where there are none.
        interval: of the mean; None below 2 ratings.
        counts: numbers of 1s, 2s, 3s, 4s and 5s.
    """

    n: int
    value: float | None
    interval: Interval | None
    counts: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """Krippendorff's α of one question.

    Attributes:
        alpha: 1 is perfect agreement, 0 is chance; None where it is undefined (see `reason`).
        interval: by resampling submissions; None without α or with fewer than 3 submissions.
        submissions: number of submissions with at least 2 ratings.
        raters, ratings: what it is computed from.
    """

    alpha: float | None
    interval: Interval | None
    submissions: int
    raters: int
    ratings: int
    reason: str = ""


def mean_rating(values: Sequence[int]) -> MeanRating:
    """The mean of ratings with Student's interval, clipped to the scale.

    Every rating of a submission is by another rater and of another draw of its images, so ratings
    are independent given the submission, and the interval covers both. A rating of 4 stands for
    anything from 3.5 to 4.5, so 1/12 is added to the variance: equal ratings do not give an
    interval of width 0.
    """
    n = len(values)
    counts = tuple(sum(value == step for value in values) for step in SCALE)
    if n < 2:
        return MeanRating(n=n, value=float(values[0]) if n else None, interval=None, counts=counts)
    from scipy.stats import t  # slow to load

    mean = fmean(values)
    reach = float(t.ppf((1 + LEVEL) / 2, n - 1)) * math.sqrt((variance(values) + 1 / 12) / n)
    interval = Interval(
        low=max(SCALE[0], mean - reach),
        high=min(SCALE[-1], mean + reach),
        level=LEVEL,
        method="Student's t, cut to the scale",
    )
    return MeanRating(n=n, value=mean, interval=interval, counts=counts)


def agreement(ratings: Iterable[RatingRecord], *, seed: int = 0) -> Agreement:
    """Krippendorff's α (ordinal) among the ratings of submissions on one question.

    Each rater saw another draw of a submission's images, so α is about the submission: disagreement
    due to the draw lowers it too.

    Args:
        ratings: on one question; controls and repeated pages are ignored.
        seed: of the interval's resampling.
    """
    counted = [rating for rating in ratings if rating.counts]
    counts = _value_counts(counted)
    shared = counts[counts.sum(axis=1) >= 2]
    alpha, reason = None, "no submission has two ratings yet"
    if len(shared):
        alpha, reason = _alpha(shared), "all ratings are equal"
    return Agreement(
        alpha=alpha,
        interval=None if alpha is None else _bootstrap(shared, seed),
        submissions=len(shared),
        raters=len({rating.rater for rating in counted}),
        ratings=int(shared.sum()),
        reason=reason if alpha is None else "",
    )


def _value_counts(ratings: Sequence[RatingRecord]) -> NDArray[np.int64]:
    """How often each submission was given each value, int64 [submissions, 5]."""
    rows = {item: row for row, item in enumerate(sorted({rating.item for rating in ratings}))}
    counts = np.zeros((len(rows), len(SCALE)), dtype=np.int64)
    for rating in ratings:
        counts[rows[rating.item], rating.value - SCALE[0]] += 1
    return counts


def _alpha(counts: NDArray[np.int64]) -> float | None:
    """α of counts [submissions, values]; None where all ratings are one value."""
    from krippendorff import alpha

    used = counts.any(axis=0)
    if used.sum() < 2:
        return None
    return float(
        alpha(
            value_counts=counts[:, used],
            value_domain=np.asarray(SCALE)[used],
            level_of_measurement="ordinal",
        )
    )


def _bootstrap(counts: NDArray[np.int64], seed: int) -> Interval | None:
    """The percentile interval of α over resampled submissions."""
    if len(counts) < 3:
        return None
    rng = np.random.default_rng(seed)
    alphas = [
        alpha
        for _ in range(RESAMPLES)
        if (alpha := _alpha(counts[rng.integers(0, len(counts), len(counts))])) is not None
    ]
    low, high = np.quantile(alphas, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(
        low=float(low),
        high=float(high),
        level=LEVEL,
        method="percentile bootstrap over submissions",
    )
