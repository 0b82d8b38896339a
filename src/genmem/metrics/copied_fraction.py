"""Copied fraction: how many generated images are closer to train than held-out images ever are."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import betainc, betaincc, betaincinv, ndtr

from genmem.arrays import as_distances, as_feature_sets, to_numpy
from genmem.formatting import share as as_percentage
from genmem.metrics.intervals import LEVEL, SIDE, clopper_pearson
from genmem.neighbors import Metric, nearest
from genmem.results import Interval, Result

TAIL = 0.002
"""The part of the held-out images that may be as close as a copy: 20 of 10,000."""

NO_DISTANCE = 1e-12
"""Equal rows come out of a search at 0 up to this rounding; so it counts as 0."""

WORTH_A_NOTE = 0.01
"""A share of copies this large that cannot be seen is said in a note."""

NEIGHBORS = 5
"""The neighbor whose distance the nearest one's is divided by. Of 1, 2, 3, 5 and 10, simulated
honest generators that are narrower than the data excluded 0 least often with 5."""

MARGIN = 1.2
"""Honest images may be below the threshold so many times as often as held-out ones. Simulated ones
of 0.9 times the data's deviation are, at most."""

DETECTION = 0.95
"""Probability with which a detectable share of copies is told from none."""

_ROOT_ERROR = 1e-12
"""Of the lower end of the interval."""

_NODES = np.linspace(-8.0, 8.0, 801)
_WEIGHTS = np.exp(-(_NODES**2) / 2) / np.exp(-(_NODES**2) / 2).sum()


def copied_fraction(
    *, generated: Any, train: Any, test: Any, metric: Metric = "absolute_cosine"
) -> Result:
    """The share π of generated images that are closer to train than held-out images ever are.

        closeness(g) = d1 / d5

    the distance to the nearest training image relative to that to the fifth nearest, 0 where d1 is
    0. A generator that draws where the training images are dense (narrow, of one class, of a few
    modes) has smaller d1 without copying anything; d1 / d5 hardly changes with the density, while a
    copy has d1 far below d5. Up to four training images may nearly repeat one another without
    hiding their copies.

        F_gen(x) = π + (1 − π) · F(x)   at a closeness x that copies stay below

    F_gen(x) is the chance that a generated image lies closer to train than x, and F(x) that of an
    honest one. x is the r-th smallest of the m held-out values, r = round(0.002 · (m + 1)), at
    least 1. With K of the n generated values strictly below x

        π̂ = max(0, (K/n − q) / (1 − q)),   q = r / (m + 1) = E[F(x)]

    The interval is exact, whatever the distribution of the values. F(x) of held-out images is
    Beta(r, m + 1 − r); honest generated images are granted up to 1.2 times as much, since d1 / d5
    still moves a little with the density. K > k − 1 then has at most the probability

        P(B ≤ π + (1 − π) min(1, 1.2 F)),   B ~ Beta(k, n − k + 1),   F ~ Beta(r, m + 1 − r)

    Its lower end is the π at which that is 2.5 %; its upper end is Clopper and Pearson's for K/n,
    as if no honest image were below x, and so about q higher than it might be: it holds also where
    honest images lie farther off than held-out ones, as a poor generator's do.

    Repeats: a generator that makes one image again and again, close to a training image by chance,
    would count it each time. The lower end and the p-value therefore count the different training
    images that the K images are closest to, not the images.

    Ties: distances up to 1e-12 count as 0. Where the r-th held-out value is 0 or equals the one
    before, r grows to the next that is larger than all before it, so that repeated images, exact
    copies of training images above all, are compared as groups: as many of them among the
    generated images as among the held-out ones are no copies.

    Assumptions: held-out images are a yardstick (of the same kind and files as the training
    images), and honest images are no closer to train, relative to the fifth nearest, than held-out
    ones are. Copies farther off than x (flips, crops, or whatever this space calls new) are not
    counted, so π̂ is a lower bound.

    Args:
        generated: float [n, d], one row per image; NumPy (memory-mapped too) or torch.
        train: float [l, d].
        test: float [m, d], images of the same kind that were not trained on.
        metric: "absolute_cosine", "cosine" or "euclidean".

    Returns:
        value: π̂ in [0, 1]; higher is more copying; NaN, with a note, where the held-out images
            leave no threshold.
        interval: 95 %; an honest generator's holds 0 in at least 97.5 % of draws (without ties).
        parts: `threshold` x, `held_out_rank` r, `below` K, `train_images_below` (different training
            images among their nearest), `expected_honest` n·q, `p_value` of so many or more below x
            without copies, `fewest_below`: the smallest number below x whose
            interval would exclude 0 here (None: no number would), `detectable_share`: the smallest
            share of copies that this comparison would tell from none with probability .95, if the
            honest images lie as they do here (None: no share).

    Raises:
        InputError: the arrays are not features of one backbone.

    Example:
        >>> import numpy as np
        >>> from genmem import copied_fraction
        >>> rng = np.random.default_rng(0)
        >>> train, test, generated = rng.normal(size=(3, 500, 8))
        >>> generated[:100] = train[:100]
        >>> result = copied_fraction(generated=generated, train=train, test=test)
        >>> round(float(result), 2), result.interval.low > 0.1
        (0.2, True)
    """
    generated, train, test = as_feature_sets(generated=generated, train=train, test=test).values()
    rows = int(train.shape[0])
    of_generated, of_test = (
        nearest(queries, train, k=min(NEIGHBORS, rows), metric=metric)
        for queries in (generated, test)
    )
    return copied_fraction_from(
        generated=relative_distances(of_generated.distances),
        test=relative_distances(of_test.distances),
        nearest_train=to_numpy(of_generated.indices)[:, 0],
        train_rows=rows,
    )


def relative_distances(distances: Any) -> NDArray[np.float64]:
    """d1 / d5 of each row, float64 [n]; 0 where d1 is 0.

    Args:
        distances: float [n, k], ascending, to the k nearest training rows; the fifth is the last
            one where k < 5. With one training row, d1 itself.
    """
    ascending = snap_to_zero(to_numpy(distances).astype(np.float64, copy=False))
    first, last = ascending[:, 0], ascending[:, min(NEIGHBORS, ascending.shape[1]) - 1]
    if ascending.shape[1] == 1:
        return first
    return np.divide(first, last, out=np.zeros_like(first), where=last > 0)


def copied_fraction_from(
    *,
    generated: NDArray[np.float64],
    test: NDArray[np.float64],
    nearest_train: NDArray[np.int64] | None = None,
    train_rows: int,
) -> Result:
    """`copied_fraction` from closeness values, or any other statistic that is small for copies.

    Args:
        generated: float64 [n], of each generated row.
        test: float64 [m], the same of each held-out row.
        nearest_train: int64 [n], the training row nearest to each generated row; None where each
            generated row counts for itself.
        train_rows: size of the training set, for the result.

    Raises:
        InputError: not one-dimensional, empty, or not finite.
    """
    near = {
        role: snap_to_zero(as_distances(distances, role=role))
        for role, distances in (("generated", generated), ("test", test))
    }
    n = {"generated": len(near["generated"]), "train": train_rows, "test": len(near["test"])}
    held_out = np.sort(near["test"])
    rank = _rank(held_out)
    if rank is None:
        return Result(
            name="copied_fraction",
            value=math.nan,
            n=n,
            notes=(
                "The held-out distances are all 0 or tie up to the largest: they leave no "
                "threshold to tell copies by.",
            ),
        )
    threshold = float(held_out[rank - 1])
    below = np.flatnonzero(near["generated"] < threshold)
    distinct = len(below) if nearest_train is None else len(np.unique(nearest_train[below]))
    return _result(len(below), distinct, threshold=threshold, rank=rank, n=n)


def snap_to_zero(distances: NDArray[np.float64]) -> NDArray[np.float64]:
    """The distances, those of equal rows (up to `NO_DISTANCE` from 0) as exactly 0."""
    return np.where(np.abs(distances) <= NO_DISTANCE, 0.0, distances)


def _rank(held_out: NDArray[np.float64]) -> int | None:
    """r: the first rank from `TAIL` on that is not 0 and above all ranks before; None: no such."""
    first = max(1, round(TAIL * (len(held_out) + 1)))
    before = np.concatenate([[-np.inf], held_out[:-1]])
    rises = (held_out > before) & (held_out != 0)
    ranks = np.flatnonzero(rises[first - 1 :])
    return first + int(ranks[0]) if len(ranks) else None


def _result(below: int, distinct: int, *, threshold: float, rank: int, n: dict[str, int]) -> Result:
    images, held_out = n["generated"], n["test"]
    honest = rank / (held_out + 1)
    low, _, p_value = _interval(distinct, images, rank, held_out)
    high = clopper_pearson(below, images)[1]
    fewest = _fewest_below(images, rank, held_out)
    return Result(
        name="copied_fraction",
        value=max(0.0, (below / images - honest) / (1 - honest)),
        n=n,
        parts={
            "threshold": threshold,
            "held_out_rank": rank,
            "below": below,
            "train_images_below": distinct,
            "expected_honest": images * honest,
            "p_value": p_value,
            "fewest_below": fewest,
            "detectable_share": _detectable_share(fewest, images),
        },
        interval=Interval(
            low=low,
            high=high,
            level=LEVEL,
            method="beta-binomial inversion (low end), Clopper–Pearson (high end)",
        ),
        notes=_notes(below, distinct, fewest, low=low, n=n),
    )


def _notes(
    below: int, distinct: int, fewest: int | None, *, low: float, n: dict[str, int]
) -> tuple[str, ...]:
    """What the numbers of images cannot show."""
    images, held_out = n["generated"], n["test"]
    if fewest is None:
        return (
            f"{images:,} generated and {held_out:,} held-out images are too few to tell any share "
            "of copies from none.",
        )
    notes = ()
    if low == 0 and fewest > 1 and fewest / images >= WORTH_A_NOTE:
        notes = (
            f"with {images:,} generated and {held_out:,} held-out images, fewer than {fewest:,} "
            f"images ({as_percentage(fewest / images)}) closer than held-out images ever are "
            "cannot be told from none.",
        )
    if low == 0 and distinct < fewest <= below:
        notes += (
            f"{below:,} images are closer than held-out images ever are, but to only "
            f"{distinct:,} different training {'image' if distinct == 1 else 'images'}: a "
            "generator that makes the same images again and again gives this without copying, too. "
            "Look at these pairs.",
        )
    return notes


def _detectable_share(fewest: int | None, images: int) -> float | None:
    """The smallest share π with P(K ≥ fewest) ≥ .95, K ~ Binomial(n, π).

    Honest images below the threshold are left out of K, which errs upward: they are few, and none
    where the generator underfits. None where no share would do.
    """
    if fewest is None:
        return None
    # P(K ≥ k) = I_π(k, n − k + 1)
    return float(betaincinv(fewest, images - fewest + 1, DETECTION))


@lru_cache(maxsize=4096)
def _interval(below: int, images: int, rank: int, held_out: int) -> tuple[float, float, float]:
    """Both ends for K = `below`, and the p-value of π = 0."""
    high = clopper_pearson(below, images)[1]
    p_value = _p_value(below, images, rank, held_out)
    if p_value >= SIDE:
        return 0.0, high, p_value

    def excess(share: float) -> float:
        return _at_least(below, images, rank, held_out, share) - SIDE

    if excess(0.0) >= 0:  # equal to the p-value but for rounding
        return 0.0, high, p_value
    # At π = K/n, K or more is the rule: half of the time by the copies alone.
    most = min(below / images, 1 - 1e-12)
    return _root(excess, 0.0, most), high, p_value


def _root(function: Callable[[float], float], low: float, high: float) -> float:
    """Where an increasing function is 0, by halving; SciPy's solvers take long to import."""
    while high - low > _ROOT_ERROR:
        middle = (low + high) / 2
        low, high = (middle, high) if function(middle) < 0 else (low, middle)
    return (low + high) / 2


def _at_least(k: int, n: int, rank: int, m: int, share: float) -> float:
    """P(B ≤ π + (1 − π) min(1, 1.2 F)) of `copied_fraction`: K ≥ k ≥ 1 among n images.

    The trapezoid rule over the normal scores of the narrower of B and F: the other's distribution
    function is smooth at that scale, so the rule is accurate far beyond need (1e-6).
    """
    if k * (n - k + 1) / (n + 1) ** 3 < rank * (m + 1 - rank) / (m + 1) ** 3:  # variances
        share_below = betaincinv(k, n - k + 1, ndtr(_NODES))
        honest = (share_below - share) / (1 - share)
        held_out = np.where(honest >= 1, 1.0, np.clip(honest, 0.0, 1.0) / MARGIN)
        return float(betaincc(rank, m + 1 - rank, held_out) @ _WEIGHTS)
    honest = np.minimum(1.0, MARGIN * betaincinv(rank, m + 1 - rank, ndtr(_NODES)))
    return float(betainc(k, n - k + 1, share + (1 - share) * honest) @ _WEIGHTS)


def _p_value(k: int, n: int, rank: int, m: int) -> float:
    """P(K ≥ k) of an honest generator."""
    return _at_least(k, n, rank, m, 0.0) if k else 1.0


@lru_cache(maxsize=256)
def _fewest_below(n: int, rank: int, m: int) -> int | None:
    """The smallest K whose p-value is below 2.5 %; None where n has none."""
    if _p_value(n, n, rank, m) >= SIDE:
        return None
    low, high = 0, n
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if _p_value(middle, n, rank, m) < SIDE else (middle, high)
    return high
