"""FD without the bias in the number of generated images, with an interval for the value itself."""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genmem.arrays import as_features, block_slices, check_at_least, take_rows
from genmem.metrics.frechet import as_sides, gaussian, gaussian_distance
from genmem.metrics.frechet_interval import fd_influence
from genmem.metrics.intervals import LEVEL, NORMAL
from genmem.metrics.moments import Moments
from genmem.results import Interval, Result

QUARTERS = 4

WEIGHTS = (8.0, -9.0, 2.0)
"""Of FD at n, 3n/4 and n/2 rows in the value at infinitely many: see `fd_unbiased`."""

_FEWEST = 30


def fd_unbiased(*, generated: Any, train: Any, seed: int = 0) -> Result:
    """FD at infinitely many generated rows, by a parabola in 1/N through balanced subsets.

        E FD_N = FD + b/N + c/N² + …
        value  = 8 FD_n − 9 mean FD_{3n/4} + 2 mean FD_{n/2}

    The rows are dealt into four random quarters; FD_{3n/4} is the mean over the 4 unions of three
    quarters, FD_{n/2} over the 6 unions of two. The weights are those that cancel b and c. Every
    row is in equally many subsets of a size, so the weights, whose sum is 1, leave the first-order
    noise of FD as it is: the interval is that of `fd` (`fd_interval`), around a value without bias.
    `fd_infinity` (Chong and Forsyth 2020) fits a line to independent subsets, whose noise an
    extrapolation multiplies; this is its balanced form, a jackknife of second order (Schucany,
    Gray and Owen 1971, "On bias reduction in estimation"). The training rows are held fixed: their
    number biases FD too, and is no less the training set.

    Args:
        generated: features [n, d], n ≥ 30, NumPy (memory-mapped too) or torch.
        train: features [m, d] of the same kind, or their `Moments`, or `Statistics` of them.
        seed: of the quarters.

    Returns:
        value, which noise may push below 0, with an interval where n/2 > d; parts: `points` (`n`
        and `fd` of each size) and `bias`, FD_n − value.

    Raises:
        InputError: as for `fd`, or fewer than 30 generated rows.

    Example:
        >>> import numpy as np
        >>> from genmem import fd, fd_unbiased
        >>> train, generated = np.random.default_rng(0).normal(size=(2, 2000, 20))
        >>> train = np.concatenate([train, -train])
        >>> fd_unbiased(generated=generated, train=train) < fd(generated=generated, train=train)
        True
    """
    influence = None
    generated = as_features(generated, role="generated")
    if generated.shape[0] > generated.shape[1]:
        influence = fd_influence(generated=generated, train=train)
    return fd_unbiased_from(generated=generated, train=train, influence=influence, seed=seed)


def fd_unbiased_from(
    *, generated: Any, train: Any, influence: NDArray[np.float64] | None, seed: int = 0
) -> Result:
    """`fd_unbiased` with the influence of each row, float64 [n], or None where n ≤ d."""
    generated, train = as_sides(generated=as_features(generated, role="generated"), train=train)
    count, dimension = (int(length) for length in generated.shape)
    check_at_least(count, _FEWEST, role="generated", why="FD is extrapolated from half of them.")
    order = np.random.default_rng(seed).permutation(count)
    quarters = [_moments(generated, np.sort(rows)) for rows in np.array_split(order, QUARTERS)]
    train_side = gaussian(train)
    points = []
    for size in (4, 3, 2):
        values = []
        for chosen in combinations(quarters, size):
            parts = gaussian_distance(gaussian(_merge(chosen)), train_side)
            values.append(parts["mean_term"] + parts["covariance_term"])
        points.append({"n": round(count * size / QUARTERS), "fd": float(np.mean(values))})
    value = sum(weight * point["fd"] for weight, point in zip(WEIGHTS, points, strict=True))
    n = {"generated": count} | ({} if train_side.count is None else {"train": train_side.count})
    reliable = count // 2 > dimension
    return Result(
        name="fd_unbiased",
        value=value,
        n=n,
        parts={"points": points, "bias": points[0]["fd"] - value},
        interval=_interval(value, influence) if reliable and influence is not None else None,
        seed=seed,
        notes=()
        if reliable
        else (
            f"half of the rows ({count // 2:,}) are no more than the {dimension:,} dimensions: the "
            "extrapolation is a rough one, and has no confidence interval.",
        ),
    )


def _moments(features: Any, rows: NDArray[np.int64]) -> Moments:
    total = Moments()
    for part in block_slices(len(rows), int(features.shape[1])):
        total.update(take_rows(features, rows[part]))
    return total


def _merge(parts: Sequence[Moments]) -> Moments:
    total = Moments()
    for part in parts:
        total.merge(part)
    return total


def _interval(value: float, influence: NDArray[np.float64]) -> Interval:
    half = NORMAL * float(influence.std(ddof=1)) / math.sqrt(len(influence))
    return Interval(
        low=max(value - half, 0.0),
        high=max(value + half, 0.0),
        level=LEVEL,
        method="delta method over the generated images, around the value without bias; training "
        "images held fixed",
    )
