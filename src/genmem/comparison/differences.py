"""Differences of two models' metrics, with intervals.

Each interval of a metric says how it would vary with other images of the same generator, the
training and held-out images held fixed. So what two models owe to these cancels, and what remains
is independent. The interval of the difference is made of the two by the method of variance
estimates recovery, which keeps their asymmetry (Zou and Donner 2008, "Construction of confidence
limits about effect measures", eq. 6):

    L = a − b − √((a − l_a)² + (u_b − b)²)
    U = a − b + √((u_a − a)² + (b − l_b)²)

Where all pairs are judged together, the error of 5 % is divided by their number (Bonferroni), and
the distances from value to ends grow by the ratio of the normal quantiles.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from itertools import combinations
from statistics import NormalDist

from genmem.comparison.results import Difference
from genmem.metrics.intervals import LEVEL, NORMAL
from genmem.results import Interval, Result

METHOD = (
    "recovered from the intervals of the two (Zou and Donner 2008), training and held-out images "
    "held fixed"
)


def differences(results: Mapping[str, Result], *, metric: str) -> list[Difference]:
    """The differences of all pairs of models.

    Args:
        results: the metric by model, at least two.
        metric: its name.
    """
    pairs = list(combinations(results, 2))
    quantile = NormalDist().inv_cdf(1 - (1 - LEVEL) / (2 * len(pairs))) if pairs else NORMAL
    out = []
    for first, second in pairs:
        a, b = results[first], results[second]
        ends = _ends(a, b, widened=1.0)
        together = _ends(a, b, widened=quantile / NORMAL)
        out.append(
            Difference(
                metric=metric,
                first=first,
                second=second,
                value=a.value - b.value,
                interval=None
                if ends is None
                else Interval(low=ends[0], high=ends[1], level=LEVEL, method=METHOD),
                separate=None if together is None else not together[0] <= 0 <= together[1],
            )
        )
    return out


def _ends(a: Result, b: Result, *, widened: float) -> tuple[float, float] | None:
    """Both ends of the interval of a − b, the arms of the two lengthened by a factor."""
    if a.interval is None or b.interval is None:
        return None
    down = math.hypot(a.value - a.interval.low, b.interval.high - b.value)
    up = math.hypot(a.interval.high - a.value, b.value - b.interval.low)
    value = a.value - b.value
    return value - widened * down, value + widened * up
