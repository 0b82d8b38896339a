"""How often an honest image is as close to the training set as a given one: p-values and rates.

    p(x) = (1 + #{null ≤ x}) / (m + 1)

is exact whatever the distribution, if the given image is as good as drawn with the m honest ones;
but it cannot fall below 1/(m + 1), so a handful of blatant copies among thousands of images could
never be told from chance. Below the `_ANCHOR`-th smallest honest value the p-value therefore goes
on along a power law,

    p(x) = p(u) · (x / u)^α,   u that value,

which is how the distance to the nearest of many points behaves near 0: P(d < x) ∝ x^α where the
points locally fill α dimensions (Levina and Bickel 2004, "Maximum Likelihood Estimation of
Intrinsic Dimension"). α is the lower 95 % confidence bound of Hill's estimate (1975), the smallest
over the closest `_ANCHOR` honest images, twice as many, and so on up to `_TAIL` of all: so p errs
upward, and a few honest images that are near-duplicates of training images, nearer than the others
lead one to expect, lower α for all that lies beyond them; where some lie at distance 0, to 0, and
the counted p-value remains. No p-value is put below 1e-9. What no honest image shows, the law
cannot know: honest near-duplicates rarer than one in m may be accused.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genmem.errors import InputError

Floats = NDArray[np.float64]

_ANCHOR = 10
"""Honest values at or below the place where the power law takes over."""

_TAIL = 0.01
"""Share of the honest values the power law is fitted to."""

_SMALLEST = 1e-9
"""No power law is believed further than this."""

_FEWEST_IN_TAIL = 20
_CONFIDENCE = 0.95


@dataclass(frozen=True, kw_only=True)
class NullDistribution:
    """The statistic of honest images, smaller meaning closer.

    Attributes:
        values: float64 [m], ascending.
        tail: how many of them the power law was fitted to; 0 where they are too few (m < 100).
        exponent: α; 0 without a tail.
    """

    values: Floats
    tail: int
    exponent: float

    def p_values(self, statistic: Floats) -> Floats:
        """For each value, the probability of an honest image at least as close; float64 [n]."""
        below = np.searchsorted(self.values, statistic, side="right")
        return _with_tail(
            np.asarray(statistic),
            (1 + below) / (len(self.values) + 1),
            anchor=float(self.values[min(_ANCHOR, len(self.values)) - 1]),
            at_anchor=(1 + _ANCHOR) / (len(self.values) + 1),
            exponent=self.exponent,
        )

    def own_p_values(self, statistic: Floats) -> Floats:
        """The p-values of honest images that are themselves among the m: each without itself.

        Above the tail they are counted as if one more image were as close, so that an image in
        question never beats honest ones by a tie.
        """
        count = len(self.values)
        own = np.searchsorted(self.values, self.values, side="right") / (count + 1)
        closest = self.values[: self.tail + 1]
        for place in range(self.tail):
            others = np.delete(closest, place)
            counted = (1 + np.searchsorted(others, self.values[place], side="right")) / count
            own[place] = _with_tail(
                self.values[place : place + 1],
                np.array([counted]),
                anchor=float(others[_ANCHOR - 1]),
                at_anchor=(1 + _ANCHOR) / count,
                exponent=_smallest_exponent(others[: self.tail]),
            )[0]
        return own[np.searchsorted(self.values, statistic, side="left")]


def _with_tail(
    statistic: Floats, counted: Floats, *, anchor: float, at_anchor: float, exponent: float
) -> Floats:
    """The counted p-values, replaced by p(u)·(x/u)^α for x below u where there is such a law."""
    if exponent <= 0:
        return counted
    beyond = statistic < anchor
    p = counted.copy()
    p[beyond] = np.maximum(at_anchor * (statistic[beyond] / anchor) ** exponent, _SMALLEST)
    return p


def null_distribution(values: Floats) -> NullDistribution:
    """The null of honest statistics, with its tail.

    Args:
        values: float [m], not negative, in any order; held-out images' or left-out training
            images'.

    Raises:
        InputError: empty, negative or not finite.
    """
    values = np.sort(np.asarray(values, dtype=np.float64))
    if values.ndim != 1 or not values.size or not np.isfinite(values).all() or values[0] < 0:
        raise InputError(
            f"expected finite distances of honest images from 0, [m], got shape {values.shape}."
        )
    tail = max(_FEWEST_IN_TAIL, round(_TAIL * len(values)))
    if len(values) < 5 * _FEWEST_IN_TAIL:
        return NullDistribution(values=values, tail=0, exponent=0.0)
    exponent = _smallest_exponent(values[:tail])
    return NullDistribution(values=values, tail=tail, exponent=exponent)


def _smallest_exponent(closest: Floats) -> float:
    """The smallest α over all of them, the closest half, and so on down to `_ANCHOR`."""
    size, found = len(closest), []
    while size >= _ANCHOR:
        found.append(_exponent(closest[:size]))
        size //= 2
    return min(found)


def _exponent(closest: Floats) -> float:
    """The lower bound of Hill's estimate: Σ log(u/x) is Gamma(k − 1) distributed, scaled by 1/α."""
    from scipy.special import gammaincinv  # takes a moment to import

    if closest[0] <= 0:
        return 0.0
    total = float(np.log(closest[-1] / closest[:-1]).sum())
    degrees = len(closest) - 1
    return float(gammaincinv(degrees, 1 - _CONFIDENCE) / total) if total > 0 else 0.0


def combined_p_values(p_values: Floats, honest: Floats) -> tuple[Floats, Floats]:
    """One p-value an image from several tests (spaces, kinds of change): the smallest, judged anew.

    The smallest of several p-values is no p-value; how small it is among honest images, each with
    the smallest of its own, is one again (Westfall and Young 1993, "minP"). The error rate holds
    however the tests depend on each other, one test that sees a copy is enough, and a further test
    costs less the more it agrees with the others: Bonferroni's factor is its worst case.

    Args:
        p_values: float64 [T, n], of the images in question, by test.
        honest: float64 [T, m], of the honest images, each among the others.

    Returns:
        float64 [n] and, for the honest images, each among the others, [m].
    """
    if len(p_values) == 1:
        return p_values[0], honest[0]
    smallest, own = p_values.min(axis=0), honest.min(axis=0)
    null = null_distribution(own)
    return null.p_values(smallest), null.own_p_values(own)


def q_values(p_values: Floats) -> Floats:
    """The smallest false-discovery rate at which each image is flagged, float64 [n].

    Benjamini and Hochberg 1995: among the images with q ≤ r, at most a share r is expected to be
    honest. It holds for independent p-values and for those that share one null, which depend on
    each other positively (Bates et al. 2023, "Testing for outliers with conformal p-values").
    """
    from scipy.stats import false_discovery_control  # takes seconds to import

    return np.asarray(false_discovery_control(p_values, method="bh"), dtype=np.float64)
