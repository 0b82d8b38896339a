"""q-values: false-discovery rates of images against honest ones, and how many copies they need."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def q_values(
    p_values: Floats, honest: Floats | None = None, *, groups: NDArray[np.int64] | None = None
) -> Floats:
    """The smallest false-discovery rate at which each image is flagged, float64 [n].

    Benjamini and Hochberg 1995: among the images with q ≤ r, at most a share r is expected to be
    honest. It holds for independent p-values and for those that share one null, which depend on
    each other positively (Bates et al. 2023, "Testing for outliers with conformal p-values").

    With the honest images' own p-values no flag rests on the power law alone. q is the smaller of

        BH(counted),   counted = (1 + #{honest p ≤ p}) / (m + 1)
        max(BH(p), `probability_of_closer`(k, n, m)),   k = #{p < all honest p}

    The first asks nothing of the distribution. The second takes the law's word on which images are
    closest, but not on whether any is a copy: k of n images closer than all m honest ones must be
    rarer than the rate, too, whatever the distribution. An honest generator therefore has flags no
    more often than the rate says, also where honest images have near-duplicates that are rarer
    than one in m; at n = m it takes five copies to raise a flag at 5 %, at m = 19 n a single one.

    Args:
        p_values: float64 [n], of the images in question.
        honest: float64 [m], of the honest images, each among the others; None: p-values are counted
            ones.
        groups: int64 [n], the groups of the images in question, where the honest p-values are of
            such groups: k, n and m then count groups. None: each image stands for itself.
    """
    by_law = _benjamini_hochberg(p_values)
    if honest is None or not (p_values < 1 / (len(honest) + 1)).any():
        return by_law
    counted = counted_q_values(p_values, honest)
    units = np.arange(len(p_values)) if groups is None else groups
    closer = len(np.unique(units[p_values < honest.min()]))
    chance = probability_of_closer(closer, images=len(np.unique(units)), honest=len(honest))
    return np.minimum(counted, np.maximum(by_law, chance))


def _benjamini_hochberg(p_values: Floats) -> Floats:
    from scipy.stats import false_discovery_control  # takes seconds to import

    return np.asarray(false_discovery_control(p_values, method="bh"), dtype=np.float64)


def counted_q_values(p_values: Floats, honest: Floats) -> Floats:
    """The part of `q_values` that supposes no law, float64 [n]: BH(counted)."""
    return _benjamini_hochberg(np.maximum(p_values, counted_p_values(p_values, honest)))


def probability_of_closer(closer: int, *, images: int, honest: int) -> float:
    """Probability that k or more of n honest images are closer than m others.

    C(n+m−k, m) / C(n+m, m), whatever the distribution.
    """
    k, n, m = closer, images, honest
    logarithm = math.lgamma(n + m - k + 1) - math.lgamma(n - k + 1)
    logarithm += math.lgamma(n + 1) - math.lgamma(n + m + 1)
    return min(1.0, math.exp(logarithm))


def min_copies_flagged(
    least: float, honest: Floats, *, images: int, level: float, groups: int | None = None
) -> int | None:
    """How many perfect copies there must be before they are flagged; None where not even all are.

    Copies are in as many groups as possible.

    Args:
        least: the p-value of a perfect copy.
        honest: float64 [m], the honest images' p-values, each among the others.
        images: n, generated images.
        level: the false-discovery rate at which images are flagged.
        groups: that the generated images form; None: each stands for itself.
    """
    units = images if groups is None else groups
    needed = math.ceil(images * max(least, counted_p_values(least, honest)) / level)
    if least < min(1 / (len(honest) + 1), float(honest.min())):
        few, many = 0, images + 1
        while many - few > 1:
            middle = (few + many) // 2
            closer = min(middle, units)
            rare = probability_of_closer(closer, images=units, honest=len(honest)) <= level
            few, many = (few, middle) if rare else (middle, many)
        needed = min(needed, max(many, math.ceil(images * least / level)))
    return needed if needed <= images else None


def counted_p_values(p_values: Any, honest: Floats) -> Any:
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
