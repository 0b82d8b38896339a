"""C_T's rank test: the z-score with its tie correction, and its interval."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genmem.metrics.intervals import LEVEL, NORMAL, SIDE
from genmem.results import Interval


@dataclass(frozen=True)
class ZScore:
    """Z_U of `c_t` and the ends of its interval; None where the distances have no spread."""

    z: float
    low: float | None = None
    high: float | None = None


def z_score(generated: NDArray[np.float64], test: NDArray[np.float64]) -> ZScore:
    """Z_U from the ranks of all distances together, with DeLong's interval.

    θ = U/(nm) is the mean of the placements: of each generated distance among the test ones, and of
    each test distance among the generated ones (ties one half). Its variance is that of the first
    over m plus that of the second over n (DeLong et al. 1988, eq. 4 and 5); the interval of θ goes
    to the scale of Z_U, whose denominator is held fixed.

    Where every generated distance lies below every test one (or above), both variances are 0. Of
    the min(n, m) disjoint pairs, which are independent, all then lie one way: so θ is within
    1 − 0.025^(1/min(n, m)) of that end, a bound which takes the place of the deviation.

    Args:
        generated: float [m], m ≥ 1.
        test: float [n], n ≥ 1.
    """
    m, n = len(generated), len(test)
    pooled = np.concatenate([generated, test])
    ranks = _midranks(pooled)
    U = float(ranks[:m].sum()) - m * (m + 1) / 2
    ties = np.unique(pooled, return_counts=True)[1].astype(np.float64)
    spread = m + n + 1 - float((ties**3 - ties).sum()) / ((m + n) * (m + n - 1))
    if len(ties) == 1:
        return ZScore(0.0)
    unit = math.sqrt(n * m / 12 * spread)

    def z_at(pairs: float) -> float:
        return (pairs - (n * m / 2 - 0.5)) / unit

    z = z_at(U)
    if min(m, n) < 2:
        return ZScore(z)
    of_generated = (ranks[:m] - _midranks(generated)) / n
    of_test = (ranks[m:] - _midranks(test)) / m
    variance = float(of_generated.var(ddof=1)) / m + float(of_test.var(ddof=1)) / n
    if U in (0, n * m):
        bound = n * m * (1 - SIDE ** (1 / min(m, n)))
        return ZScore(z, z, z_at(bound)) if U == 0 else ZScore(z, z_at(n * m - bound), z)
    half = NORMAL * math.sqrt(variance) * n * m / unit
    return ZScore(z, max(z - half, z_at(0)), min(z + half, z_at(n * m)))


def _midranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Ranks from 1; equal values share the mean of their ranks. SciPy's take seconds to import."""
    _, places, counts = np.unique(values, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[places]


def combine(scores: Sequence[ZScore], weights: Sequence[float]) -> ZScore | None:
    """The weighted mean of independent z-scores; None without weight.

    Its interval follows from theirs, which need not be symmetric:

        low = z − √ Σ w_i² (z_i − low_i)²,   high = z + √ Σ w_i² (high_i − z_i)²,   Σ w_i = 1

    Zou and Donner 2008, "Construction of confidence limits about effect measures: a general
    approach", with the weights held fixed.
    """
    total = sum(weights)
    if not total:
        return None
    shares = [weight / total for weight in weights]
    z = sum(share * score.z for share, score in zip(shares, scores, strict=True))
    below = above = 0.0
    for share, score in zip(shares, scores, strict=True):
        if score.low is None or score.high is None:
            return ZScore(z)
        below += (share * (score.z - score.low)) ** 2
        above += (share * (score.high - score.z)) ** 2
    return ZScore(z, z - math.sqrt(below), z + math.sqrt(above))


def interval(score: ZScore | None) -> Interval | None:
    """The interval as part of a result; None where there is none."""
    if score is None or score.low is None or score.high is None:
        return None
    return Interval(
        low=score.low,
        high=score.high,
        level=LEVEL,
        method="DeLong's placements, over generated and test images, training images held fixed",
    )
