"""Memorization ratio: the share of generated images with one training image far too close."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from genmem.arrays import as_feature_sets, check_at_least, to_numpy
from genmem.errors import UsageError
from genmem.metrics.intervals import LEVEL, clopper_pearson
from genmem.neighbors import Nearest, NearestNeighbors, group_equal_rows, update_together
from genmem.results import Interval, Result

_ROWS_PER_PART = 16_384


def memorization_ratio(*, generated: Any, train: Any, threshold: float = 1 / 3) -> Result:
    """Share of generated images with d1 / d2 < 1/3.

    d1 and d2 are the Euclidean distances to the nearest and the second-nearest training image.
    Source: "On Memorization in Diffusion Models" (Gu et al. 2023, arXiv 2310.02664), on pixels of
    images quantized to 8 bits; after Yoon et al. 2023. Any features can be given here, and the
    ratio then speaks of that space.

    Departure: an exact duplicate inside the training set would make d2 = d1, so that a copy of it
    has ratio 1 (or 0/0) and is missed. Identical training rows therefore count as one image; how
    many were set aside is reported. Near duplicates still hide copies of each other.

    Args:
        generated: float [n, d], one row per image; NumPy (memory-mapped too) or torch.
        train: float [m, d], at least two different rows.
        threshold: the ratio below which an image counts as memorized, in (0, 1].

    Returns:
        value: the share, in [0, 1]; higher is more memorization.
        interval: 95 %, Clopper and Pearson's for a share of the generated images.
        parts: `memorized` (count), `threshold`, `duplicate_train_rows`, `median_ratio`.

    Raises:
        InputError: the arrays are not features of one backbone, or the training rows are all
            the same.
        UsageError: the threshold is out of range.
    """
    check_threshold(threshold)
    generated, train = as_feature_sets(generated=generated, train=train).values()
    two_nearest, duplicates = two_nearest_different(generated, train)
    return memorization_ratio_from(
        two_nearest=two_nearest,
        train_duplicates=duplicates,
        train_rows=int(train.shape[0]),
        threshold=threshold,
    )


def memorization_ratio_from(
    *, two_nearest: Nearest, train_duplicates: int, train_rows: int, threshold: float = 1 / 3
) -> Result:
    """`memorization_ratio` from a finished search.

    Args:
        two_nearest: of each generated row, from `two_nearest_different`.
        train_duplicates: training rows identical to an earlier one, from the same function.
        train_rows: size of the training set, for the result.
        threshold: as in `memorization_ratio`.
    """
    check_threshold(threshold)
    ratios = distance_ratios(two_nearest)
    memorized = int((ratios < threshold).sum())
    low, high = clopper_pearson(memorized, len(ratios))
    notes = ()
    if train_duplicates:
        notes = (
            f"{train_duplicates} training rows are exact duplicates of earlier ones and counted as "
            "one image with them.",
        )
    return Result(
        name="memorization_ratio",
        value=memorized / len(ratios),
        n={"generated": len(ratios), "train": train_rows},
        parts={
            "memorized": memorized,
            "threshold": threshold,
            "duplicate_train_rows": train_duplicates,
            "median_ratio": float(np.median(ratios)),
        },
        interval=Interval(
            low=low,
            high=high,
            level=LEVEL,
            method="Clopper–Pearson over the generated images, training images held fixed",
        ),
        notes=notes,
    )


def check_threshold(threshold: float) -> None:
    """Raise UsageError unless 0 < threshold ≤ 1."""
    if not 0 < threshold <= 1:
        raise UsageError(f"threshold: expected a ratio in (0, 1], got {threshold}.")


def two_nearest_different(
    generated: Any,
    train: Any,
    *,
    different: NDArray[np.int64] | None = None,
    beside: NearestNeighbors | None = None,
) -> tuple[Nearest, int]:
    """The two nearest training rows that differ from each other, and the duplicates set aside.

    Args:
        generated: float [n, d].
        train: float [m, d].
        different: rows of train that equal no earlier one, int64 [u], ascending; None where they
            are not known.
        beside: another search of the same array of generated rows, which is given train too: at one
            product, unless train has duplicates.

    Returns:
        `Nearest` with k = 2, Euclidean, indices into `train`; and the number of training rows
        identical to an earlier one.
    """
    first = group_equal_rows(train)[0] if different is None else different
    duplicates = int(train.shape[0]) - len(first)
    check_at_least(
        len(first), 2, role="train", why="d1/d2 needs two different training images to compare."
    )
    search = NearestNeighbors(generated, k=2, metric="euclidean")
    if duplicates:
        for start in range(0, len(first), _ROWS_PER_PART):
            search.update(train[first[start : start + _ROWS_PER_PART]])
    if beside is not None and not duplicates:
        update_together([beside, search], train)
    elif beside is not None:
        beside.update(train)
    elif not duplicates:
        search.update(train)
    neighbors = search.compute()
    return Nearest(to_numpy(neighbors.distances), first[to_numpy(neighbors.indices)]), duplicates


def distance_ratios(two_nearest: Nearest) -> NDArray[np.float64]:
    """d1 / d2 in [0, 1], float64 [n]; d2 > 0 because the two training rows differ."""
    d1, d2 = two_nearest.distances[:, 0], two_nearest.distances[:, 1]
    return np.divide(d1, d2, out=np.ones_like(d1), where=d2 > 0)
