"""Confidence intervals that several metrics share: 95 %, of which each side misses 2.5 %."""

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
