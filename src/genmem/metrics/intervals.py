"""Confidence intervals that several metrics share, and an exact test of counts.

Intervals are of 95 %, of which each side misses 2.5 %.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from genmem.results import Interval

LEVEL = 0.95
SIDE = (1 - LEVEL) / 2
"""The probability that an interval lies wholly on one side of the truth."""

NORMAL = 1.959963984540054
"""The normal quantile at 1 − SIDE."""

NO_INTERVAL = "no confidence interval: it takes more generated rows than dimensions."
"""The note on a Fréchet distance or MiFID without an interval."""


def clopper_pearson(count: int, total: int) -> tuple[float, float]:
    """The exact interval of a share, `count` of `total` independent images.

    All shares that a one-sided binomial test at 2.5 % does not reject. Clopper and Pearson 1934,
    "The use of confidence or fiducial limits illustrated in the case of the binomial".
    """
    from scipy.special import betaincinv  # not at the top: web servers load this module

    low = float(betaincinv(count, total - count + 1, SIDE)) if count else 0.0
    high = float(betaincinv(count + 1, total - count, 1 - SIDE)) if count < total else 1.0
    return low, high


def hypergeometric_tail(count: int, *, draws: int, marked: int, total: int) -> float:
    """Probability of at least `count` marked ones among draws without replacement.

    Σ C(marked, k) · C(total − marked, draws − k) / C(total, draws) over k ≥ count: Fisher's exact
    test of one side. SciPy's `hypergeom` takes seconds to import.

    Args:
        count: marked ones.
        draws: drawn ones.
        marked: marked ones of all.
        total: all.
    """
    from scipy.special import gammaln

    def log_choose(n: float, k: NDArray[np.int64]) -> NDArray[np.float64]:
        return gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1)

    k = np.arange(max(count, draws - (total - marked), 0), min(draws, marked) + 1)
    logs = log_choose(marked, k) + log_choose(total - marked, draws - k)
    return min(1.0, float(np.exp(logs - log_choose(total, np.array(draws))).sum()))


def mean_interval(values: NDArray[np.float64], *, lowest: float) -> Interval | None:
    """mean ± t·s/√n, with s the sample deviation and t Student's quantile at n − 1.

    Args:
        values: float64 [n], independent.
        lowest: what the mean cannot fall below.

    Returns:
        None where there is no spread to go by: fewer than two values, or all the same.
    """
    count = len(values)
    deviation = float(values.std(ddof=1)) if count > 1 else 0.0
    if deviation == 0:
        return None
    from scipy.special import stdtrit

    mean = float(values.mean())
    half = float(stdtrit(count - 1, 1 - SIDE)) * deviation / math.sqrt(count)
    return Interval(
        low=max(mean - half, lowest),
        high=mean + half,
        level=LEVEL,
        method="mean ± t·s/√n over the generated images, training images held fixed",
    )
