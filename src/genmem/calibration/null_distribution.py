"""P-values and false-discovery rates of images against honest ones.

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

What no honest image shows, the law cannot know: near-duplicates among honest images, rarer than
one in m, look like copies to it. So it never decides alone (`q_values`): it is heard only where
more images are closer than all m honest ones than an honest generator would show, by an exact
test that supposes no law. What remains is in `docs/detection.md`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

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

_FEWEST_IN_TAIL = 20
_CONFIDENCE = 0.95


@dataclass(frozen=True, kw_only=True)
class NullDistribution:
    """The distribution of honest images' statistic, smaller meaning closer.

    Attributes:
        values: float64 [m], ascending.
        fitted: how many of them the power law is fitted to; 0 where they are too few (m ≤ 20).
        law: the exponent α of the power law; 0 without one.
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
        return self.law if self.tail else 0.0

    def p_values(self, statistic: Floats) -> Floats:
        """For each value, the probability of an honest image at least as close; float64 [n]."""
        return self._along(np.asarray(statistic), self.exponent)

    def scores(self, statistic: Floats) -> Floats:
        """Scores that only order the images of several tests: float64 [n], smaller meaning closer.

        They are `p_values` along the law for every m, and 0 at 0, so that exact copies tie with
        honest ones.
        """
        statistic = np.asarray(statistic)
        return np.where(statistic == 0, 0.0, self._along(statistic, self.law))

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
        return self._leave_one_out(statistic, self.tail)

    def leave_one_out_scores(self, statistic: Floats) -> Floats:
        """The `scores` of honest images that are among the m, each leaving itself out."""
        return np.where(statistic == 0, 0.0, self._leave_one_out(statistic, self.fitted))

    def _leave_one_out(self, statistic: Floats, fitted: int) -> Floats:
        count = len(self.values)
        own = np.searchsorted(self.values, self.values, side="right") / (count + 1)
        closest = self.values[: fitted + 1]
        for place in range(fitted):
            others = np.delete(closest, place)
            own[place] = _with_tail(
                self.values[place : place + 1],
                own[place : place + 1],
                anchor=float(others[_ANCHOR - 1]),
                at_anchor=(1 + _ANCHOR) / (count + 1),
                exponent=_smallest_exponent(others[:fitted]),
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
    values = np.sort(np.asarray(values, dtype=np.float64))
    if values.ndim != 1 or not values.size or not np.isfinite(values).all() or values[0] < 0:
        raise InputError(
            f"expected finite distances of honest images from 0, [m], got shape {values.shape}."
        )
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
    return float(gammaincinv(degrees, 1 - _CONFIDENCE) / total) if total > 0 else 0.0


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


def q_values(p_values: Floats, honest: Floats | None = None) -> Floats:
    """The smallest false-discovery rate at which each image is flagged, float64 [n].

    Benjamini and Hochberg 1995: among the images with q ≤ r, at most a share r is expected to be
    honest. It holds for independent p-values and for those that share one null, which depend on
    each other positively (Bates et al. 2023, "Testing for outliers with conformal p-values").

    With the honest images' own p-values no flag rests on the power law alone. q is the smaller of

        BH(counted),   counted = (1 + #{honest p ≤ p}) / (m + 1)
        max(BH(p), `chance_of_closer`(k, n, m)),   k = #{p < all honest p}

    The first asks nothing of the distribution. The second takes the law's word on which images are
    closest, but not on whether any is a copy: k of n images closer than all m honest ones must be
    rarer than the rate, too, whatever the distribution. An honest generator therefore has flags no
    more often than the rate says, also where honest images have near-duplicates that are rarer
    than one in m; at n = m it takes five copies to raise a flag at 5 %, at m = 19 n a single one.

    Args:
        p_values: float64 [n], of the images in question.
        honest: float64 [m], of the honest images, each among the others; None: p-values are counted
            ones.
    """
    by_law = _benjamini_hochberg(p_values)
    if honest is None or not (p_values < 1 / (len(honest) + 1)).any():
        return by_law
    counted = counted_q_values(p_values, honest)
    closer = int(np.count_nonzero(p_values < honest.min()))
    chance = probability_of_closer(closer, images=len(p_values), honest=len(honest))
    return np.minimum(counted, np.maximum(by_law, chance))


def counted_q_values(p_values: Floats, honest: Floats) -> Floats:
    """The part of `q_values` that supposes no law, float64 [n]: BH(counted)."""
    return _benjamini_hochberg(np.maximum(p_values, _counted(p_values, honest)))


def probability_of_closer(closer: int, *, images: int, honest: int) -> float:
    """Probability that k or more of n honest images are closer than m others.

    C(n+m−k, m) / C(n+m, m), whatever the distribution.
    """
    k, n, m = closer, images, honest
    logarithm = math.lgamma(n + m - k + 1) - math.lgamma(n - k + 1)
    logarithm += math.lgamma(n + 1) - math.lgamma(n + m + 1)
    return min(1.0, math.exp(logarithm))


def min_copies_flagged(least: float, honest: Floats, *, images: int, level: float) -> int | None:
    """How many perfect copies there must be before they are flagged; None where not even all are.

    Args:
        least: the p-value of a perfect copy.
        honest: float64 [m], the honest images' p-values, each among the others.
        images: n, generated images.
        level: the false-discovery rate at which images are flagged.
    """
    needed = math.ceil(images * max(least, _counted(least, honest)) / level)
    if least < min(1 / (len(honest) + 1), float(honest.min())):
        few, many = 0, images + 1
        while many - few > 1:
            middle = (few + many) // 2
            rare = probability_of_closer(middle, images=images, honest=len(honest)) <= level
            few, many = (few, middle) if rare else (middle, many)
        needed = min(needed, max(many, math.ceil(images * least / level)))
    return needed if needed <= images else None


def _counted(p_values: Any, honest: Floats) -> Any:
    """(1 + #{honest p ≤ p}) / (m + 1): the rank of p-values among the honest images' own.

    An honest image's own p-value counts itself. So among counted p-values an equal one stands for
    a closer image, and is left out; below 1/(m + 1), where p-values come from the law, it is not.
    """
    ordered, count = np.sort(honest), len(honest)
    below = np.where(
        p_values < 1 / (count + 1),
        np.searchsorted(ordered, p_values, side="right"),
        np.searchsorted(ordered, p_values, side="left"),
    )
    return (1 + below) / (count + 1)


def _benjamini_hochberg(p_values: Floats) -> Floats:
    from scipy.stats import false_discovery_control  # takes seconds to import

    return np.asarray(false_discovery_control(p_values, method="bh"), dtype=np.float64)
