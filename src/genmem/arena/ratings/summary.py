"""Ratings → means with intervals, and how far raters agree; no Django here."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from statistics import fmean, variance

import numpy as np
from numpy.typing import NDArray

from genmem.arena.ratings.questions import SCALE
from genmem.arena.ratings.reliability import Answer
from genmem.results import Interval

LEVEL = 0.95
RESAMPLES = 1000


@dataclass(frozen=True, kw_only=True)
class Mean:
    """The ratings of one entry on one question.

    Attributes:
        n: how many.
        value: their mean; None where there are none.
        interval: of the mean; None below 2 ratings.
        counts: how many 1s, 2s, 3s, 4s and 5s.
    """

    n: int
    value: float | None
    interval: Interval | None
    counts: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """Krippendorff's α of one question.

    Attributes:
        alpha: 1 is perfect, 0 is chance; None where it is not defined, and `reason` says why.
        interval: by resampling entries; None where α is None or there are fewer than 3 entries.
        entries, raters, ratings: what it is computed from: entries with 2 ratings or more.
    """

    alpha: float | None
    interval: Interval | None
    entries: int
    raters: int
    ratings: int
    reason: str = ""


def mean(values: Sequence[int]) -> Mean:
    """The mean of ratings, with Student's interval, cut to the scale.

    Every rating of an entry is by another rater and of another draw of its images, so they are
    independent given the entry, and the interval covers both. A rating of 4 stands for anything
    from 3.5 to 4.5, so 1/12 is added to the variance: equal ratings give no interval of width 0.
    """
    n = len(values)
    counts = tuple(sum(one == step for one in values) for step in SCALE)
    if n < 2:
        return Mean(n=n, value=float(values[0]) if n else None, interval=None, counts=counts)
    from scipy.stats import t  # slow to load

    middle = fmean(values)
    reach = float(t.ppf((1 + LEVEL) / 2, n - 1)) * math.sqrt((variance(values) + 1 / 12) / n)
    interval = Interval(
        low=max(SCALE[0], middle - reach),
        high=min(SCALE[-1], middle + reach),
        level=LEVEL,
        method="Student's t, cut to the scale",
    )
    return Mean(n=n, value=middle, interval=interval, counts=counts)


def agreement(answers: Iterable[Answer], *, seed: int = 0) -> Agreement:
    """Krippendorff's α (ordinal) among the ratings of submissions on one question.

    Each rater saw their own draw of an entry's images, so α is about the entry: disagreement that
    comes from the draw lowers it, too. Controls and repeated pages are not in it.

    Args:
        answers: of one question; others than ratings of submissions are passed over.
        seed: of the interval's resampling.
    """
    ratings = [one for one in answers if one.counts]
    counts = _counts(ratings)
    shared = counts[counts.sum(axis=1) >= 2]
    found, reason = None, "no entry has two ratings yet"
    if len(shared):
        found, reason = _alpha(shared), "all ratings are equal"
    return Agreement(
        alpha=found,
        interval=None if found is None else _resampled(shared, seed),
        entries=len(shared),
        raters=len({one.rater for one in ratings}),
        ratings=int(shared.sum()),
        reason=reason if found is None else "",
    )


def _counts(ratings: Sequence[Answer]) -> NDArray[np.int64]:
    """int64 [entries, 5]: how often each entry was given each value."""
    rows = {item: row for row, item in enumerate(sorted({one.item for one in ratings}))}
    counts = np.zeros((len(rows), len(SCALE)), dtype=np.int64)
    for one in ratings:
        counts[rows[one.item], one.value - SCALE[0]] += 1
    return counts


def _alpha(counts: NDArray[np.int64]) -> float | None:
    """α of counts [entries, values]; None where all ratings are one value."""
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


def _resampled(counts: NDArray[np.int64], seed: int) -> Interval | None:
    """The percentile interval of α over resampled entries."""
    if len(counts) < 3:
        return None
    drawn = np.random.default_rng(seed)
    found = [
        alpha
        for _ in range(RESAMPLES)
        if (alpha := _alpha(counts[drawn.integers(0, len(counts), len(counts))])) is not None
    ]
    low, high = np.quantile(found, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(
        low=float(low), high=float(high), level=LEVEL, method="percentile bootstrap over entries"
    )
