"""P-values of images against honest ones.

    p(x) = (1 + #{null ≤ x}) / (m + 1)

is exact whatever the distribution, if the given image is as good as drawn with the m honest ones;
but it cannot fall below 1/(m + 1), so a handful of blatant copies among thousands of images could
never be told from chance. From `FEWEST_FOR_TAIL` honest images on, the p-value therefore goes on
along a power law below the `_ANCHOR`-th smallest honest value,

    p(x) = p(u) · (x / u)^α,   u that value,

which is how the distance to the nearest of many points behaves near 0: P(d < x) ∝ x^α where the
points locally fill α dimensions (Levina and Bickel 2004, "Maximum Likelihood Estimation of
Intrinsic Dimension"). α is the lower 95 % confidence bound of Hill's estimate (1975), the smallest
over the closest `_ANCHOR` honest images, twice as many, and so on up to `_TAIL` of all: so p errs
upward, and a few honest images that are near-duplicates of training images, nearer than the others
lead one to expect, lower α for all that lies beyond them; where some lie at distance 0, to 0, and
the counted p-value remains. No p-value is put below 1e-9.

The law cannot account for near-duplicates that are rarer among honest images than one in m: they
look like copies to it. So it never decides alone (see `q_values.py`): it counts only where more
images are closer than all m honest ones than an honest generator would show, by an exact test that
supposes no law. What remains is in `docs/detection.md`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genmem.arrays import as_distances
from genmem.errors import InputError

Floats = NDArray[np.float64]

FEWEST_FOR_TAIL = 500
"""Honest images that a power law is fitted to at least; among fewer, p-values are counted only."""

_ANCHOR = 10
"""Honest values at or below the place where the power law takes over."""

_TAIL = 0.01
"""Share of the honest values the power law is fitted to."""

_SMALLEST = 1e-9
"""No power law is believed further than this."""

_STEEPEST = 8.0
"""α of scores where the closest honest values are all equal, and say nothing about it."""

_FEWEST_IN_TAIL = 20
_CONFIDENCE = 0.95


@dataclass(frozen=True, kw_only=True)
class NullDistribution:
    """The distribution of honest images' statistic, smaller meaning closer.

    Attributes:
        values: float64 [m], ascending.
        fitted: how many of them the power law is fitted to; 0 where they are too few (m ≤ 20).
        law: the exponent α of the power law; 0 without one, ∞ where those values are all equal.
    """

    values: Floats
    fitted: int
    law: float

    @property
    def tail(self) -> int:
        """`fitted` where p-values go on along the law; 0 where they are counted only (m < 500)."""
        return self.fitted if len(self.values) >= FEWEST_FOR_TAIL else 0

    @property
    def exponent(self) -> float:
        """α where p-values go on along the law, else 0."""
        return self.law if self.tail and np.isfinite(self.law) else 0.0

    def p_values(self, statistic: Floats) -> Floats:
        """For each value, the probability of an honest image at least as close; float64 [n]."""
        return self._along(np.asarray(statistic), self.exponent)

    def scores(self, statistic: Floats) -> Floats:
        """Scores that only order the images of several tests: float64 [n], smaller meaning closer.

        They are `p_values` along the law for every m, and 0 at 0, so that exact copies tie with
        honest ones. Where honest values tie (an image either shows local evidence or none), values
        below all of them still have an order.
        """
        statistic = np.asarray(statistic)
        return np.where(
            statistic == 0,
            0.0,
            self._along(statistic, self.law if np.isfinite(self.law) else _STEEPEST),
        )

    def _along(self, statistic: Floats, exponent: float) -> Floats:
        below = np.searchsorted(self.values, statistic, side="right")
        return _with_tail(
            statistic,
            (1 + below) / (len(self.values) + 1),
            anchor=float(self.values[min(_ANCHOR, len(self.values)) - 1]),
            at_anchor=(1 + _ANCHOR) / (len(self.values) + 1),
            exponent=exponent,
        )

    def leave_one_out_p_values(self, statistic: Floats) -> Floats:
        """The p-values of honest images that are among the m, each leaving itself out.

        Counted p-values are those of one more equally close image, so that a tested image never
        beats honest ones by a tie.
        """
        return self._leave_one_out(statistic, self.tail, equal=0.0)

    def leave_one_out_scores(self, statistic: Floats) -> Floats:
        """The `scores` of honest images that are among the m, each leaving itself out."""
        return np.where(
            statistic == 0, 0.0, self._leave_one_out(statistic, self.fitted, equal=_STEEPEST)
        )

    def _leave_one_out(self, statistic: Floats, fitted: int, *, equal: float) -> Floats:
        count = len(self.values)
        own = np.searchsorted(self.values, self.values, side="right") / (count + 1)
        closest = self.values[: fitted + 1]
        for place in range(fitted):
            others = np.delete(closest, place)
            law = _smallest_exponent(others[:fitted])
            own[place] = _with_tail(
                self.values[place : place + 1],
                own[place : place + 1],
                anchor=float(others[_ANCHOR - 1]),
                at_anchor=(1 + _ANCHOR) / (count + 1),
                exponent=law if np.isfinite(law) else equal,
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
    """The null distribution of honest statistics, with its tail.

    Args:
        values: float [m], not negative, in any order; held-out images' or left-out training
            images'.

    Raises:
        InputError: empty, negative or not finite.
    """
    values = np.sort(as_distances(values, role="distances of honest images"))
    if values[0] < 0:
        raise InputError(f"distances of honest images: expected at least 0, got {values[0]:.4g}.")
    fitted = max(_FEWEST_IN_TAIL, round(_TAIL * len(values)))
    if len(values) <= fitted:
        return NullDistribution(values=values, fitted=0, law=0.0)
    return NullDistribution(values=values, fitted=fitted, law=_smallest_exponent(values[:fitted]))


def _smallest_exponent(closest: Floats) -> float:
    """The smallest α over all of them, the closest half, and so on down to `_ANCHOR`."""
    size, exponents = len(closest), []
    while size >= _ANCHOR:
        exponents.append(_exponent(closest[:size]))
        size //= 2
    return min(exponents)


def _exponent(closest: Floats) -> float:
    """The lower bound of Hill's estimate: Σ log(u/x) is Gamma(k − 1) distributed, scaled by 1/α."""
    from scipy.special import gammaincinv  # takes a moment to import

    if closest[0] <= 0:
        return 0.0
    total = float(np.log(closest[-1] / closest[:-1]).sum())
    degrees = len(closest) - 1
    return float(gammaincinv(degrees, 1 - _CONFIDENCE) / total) if total > 0 else np.inf


def combined_p_values(scores: Floats, honest: Floats) -> tuple[Floats, Floats]:
    """One p-value per image from several tests (spaces, families): the smallest, tested again.

    The smallest of several p-values is no p-value; how small it is among honest images, each with
    the smallest of its own, is one again (Westfall and Young 1993, "minP"). The error rate holds
    however the tests depend on each other, one test that sees a copy is enough, and a further test
    costs less the more it agrees with the others: Bonferroni's factor is its worst case. Since they
    are tested again, `scores` suffice, which separate copies from the closest honest image of
    another test where counted p-values tie; the resulting p-values are counted where m < 500.

    Args:
        scores: float64 [T, n], of the images in question, by test.
        honest: float64 [T, m], of the honest images, each among the others.

    Returns:
        float64 [n] and, for the honest images, each among the others, [m].
    """
    if len(scores) == 1 and honest.shape[1] >= FEWEST_FOR_TAIL:
        return scores[0], honest[0]
    smallest, own = scores.min(axis=0), honest.min(axis=0)
    null = null_distribution(own)
    return null.p_values(smallest), null.leave_one_out_p_values(own)
