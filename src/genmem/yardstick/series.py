"""Series of images: bursts, scenes, products, patients; images that lie close to each other."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genmem.arrays import take_rows, to_numpy
from genmem.metrics.copied_fraction import (
    NEIGHBORS,
    NO_DISTANCE,
    copied_fraction_from,
    relative_distances,
)
from genmem.neighbors import Metric, Nearest, group_equal_rows, nearest, nearest_other
from genmem.results import Json, Yardstick, fields_to_json

ROWS = 2_000
"""Training images that are left out in turn, and held-out images compared with each other: a seeded
sample where there are more."""

LARGE_SHARE = 0.01
"""A share of training images in series that matters."""

TEST_SHARE = 0.2
"""Held-out images come in series where this share of them adds no independent one."""

_LINKS = 10
"""Held-out images that a held-out image can be linked with."""

_MOST_NEIGHBORS = 1_000
"""Neighbors that are searched for those that are no repeats, and of no training image's own group.
An image that has none among them is left out."""


@dataclass(frozen=True, kw_only=True)
class LeftOut:
    """Training images, each left out in turn.

    Attributes:
        distances: float64 [r, k], k ≤ 5, of each different image to the nearest different ones;
            where groups are given, to those of other groups.
        repeats: images that are equal to another training image.
        images: images that were looked at, repeats included.
    """

    distances: NDArray[np.float64]
    repeats: int
    images: int


@dataclass(frozen=True, kw_only=True)
class Series:
    """How close training images are to each other, beside how close held-out images are to them.

    Attributes:
        train_share: share of training images closer to a different training image than held-out
            images ever are to any: `copied_fraction` of the training images, each left out in turn.
        train_low, train_high: its 95 % interval; a rough one, since two images of a series are each
            other's nearest.
        in_series: that share is larger than `LARGE_SHARE`, beyond chance.
        farther: the chance that a held-out image is farther from the training images than a
            training image from the others, a tie counting one half: .5 where they are alike.
        independent: groups that the held-out images form; images closer to each other than almost
            all are to training images are in one group.
        test_in_series: a large share of the held-out images is in such groups.
        repeats: training images that are equal to another one. They are in no series: each
            different image is compared with the others once.
        train, test: images that were looked at.
        left_out: float64 [r], distances of training images to their nearest different one.
        left_out_closeness: float64 [r], d1 / d5 of the same: what `copied_fraction` compares.
    """

    train_share: float
    train_low: float
    train_high: float
    in_series: bool
    farther: float
    independent: int
    test_in_series: bool
    repeats: int
    train: int
    test: int
    left_out: NDArray[np.float64] = field(repr=False, compare=False)
    left_out_closeness: NDArray[np.float64] = field(repr=False, compare=False)

    def to_dict(self) -> dict[str, Json]:
        """The result as plain JSON, without the distances."""
        return fields_to_json(self, leave_out=("left_out", "left_out_closeness"))


def series_of(yardstick: Yardstick | None) -> Series | None:
    """The `Series` of a yardstick; None where series were not looked for."""
    return yardstick.checks.get("series") if yardstick else None


def repeats_of(yardstick: Yardstick | None) -> tuple[int, int] | None:
    """Training images equal to another one, of how many; None where series were not looked for."""
    series = series_of(yardstick)
    return None if series is None else (series.repeats, series.train)


def count_repeats(
    train: Any, *, metric: Metric, seed: int, others: Nearest | None = None
) -> tuple[int, int]:
    """Training images that are equal to another one, and how many were looked at.

    Args:
        train: float [l, d].
        metric: the distance.
        seed: of the sample, where there are more than `ROWS`.
        others: the nearest other training rows of each, by `metric`; None where they are not known.
    """
    positions = _sample(int(train.shape[0]), seed)
    return _equal_to_another(train, positions, metric, others), len(positions)


def left_out_distances(
    train: Any,
    *,
    metric: Metric,
    seed: int,
    groups: NDArray[np.int64] | None = None,
    others: Nearest | None = None,
) -> LeftOut:
    """Distances of training images to their 5 nearest different ones.

    Args:
        train: float [l, d].
        metric: the distance.
        seed: of the sample, where there are more than `ROWS`.
        groups: int64 [l], each image's group, all of which is left out; None: each its own.
        others: as in `count_repeats`; searched first where it lists as many as this function would.
    """
    positions = _sample(int(train.shape[0]), seed)
    repeats = _equal_to_another(train, positions, metric, others)
    different = positions[group_equal_rows(take_rows(train, positions))[0]]
    distances = np.full((len(different), min(NEIGHBORS, int(train.shape[0]) - 1)), np.inf)
    most = min(int(train.shape[0]), _MOST_NEIGHBORS)
    depth, short = min(2 * NEIGHBORS, most), np.arange(len(different))
    while len(short):
        rows = different[short]
        if others is not None and others.indices.shape[1] >= depth - 1:
            near, indices = others.distances[rows], others.indices[rows]
        else:
            search = nearest(take_rows(train, rows), train, k=depth, metric=metric)
            near, indices = to_numpy(search.distances), to_numpy(search.indices)
        own = (indices == rows[:, None]) | (near <= NO_DISTANCE)
        if groups is not None:
            own |= groups[indices] == groups[rows][:, None]
        near = np.sort(np.where(own, np.inf, near), axis=1)[:, : distances.shape[1]]
        distances[short, : near.shape[1]] = near
        if depth == most:
            break
        short = short[np.isinf(distances[short]).any(axis=1)]
        depth = min(4 * depth, most)
    return LeftOut(distances=_filled(distances), repeats=repeats, images=len(positions))


def _sample(count: int, seed: int) -> NDArray[np.int64]:
    if count <= ROWS:
        return np.arange(count)
    return np.sort(np.random.default_rng(seed).choice(count, ROWS, replace=False))


def _equal_to_another(
    train: Any, positions: NDArray[np.int64], metric: Metric, others: Nearest | None
) -> int:
    """How many of the rows at these positions are equal to another row."""
    if others is not None:
        distances = others.distances[positions, 0]
    else:
        distances = to_numpy(nearest_other(train, positions, metric=metric))
    return int(np.count_nonzero(distances <= NO_DISTANCE))


def _filled(distances: NDArray[np.float64]) -> NDArray[np.float64]:
    """The rows that have a neighbor; where they have fewer than k, the last one stands for more."""
    distances = distances[np.isfinite(distances[:, 0])]
    return np.minimum(
        distances, np.where(np.isfinite(distances), distances, 0.0).max(axis=1, keepdims=True)
    )


def compare_series(
    *,
    left_out: LeftOut,
    test_distances: NDArray[np.float64],
    test: Any,
    metric: Metric,
    seed: int = 0,
    groups: NDArray[np.int64] | None = None,
) -> Series:
    """Find series among the training and among the held-out images.

    Args:
        left_out: training images, each left out in turn.
        test_distances: float64 [m], distances of held-out images to their nearest training image.
        test: float [m, d], the held-out images.
        metric: the distance of both.
        seed: of the sample of held-out images.
        groups: int64 [m], the held-out images' groups, where they are known; they are no series
            that nobody knows of.
    """
    nearest_other = left_out.distances[:, 0]
    share = copied_fraction_from(
        generated=nearest_other, test=test_distances, train_rows=len(nearest_other)
    )
    low, high = (share.interval.low, share.interval.high) if share.interval else (0.0, 1.0)
    rows = _sample(int(test.shape[0]), seed)
    if groups is None:
        linked = link_images(take_rows(test, rows), within=link(test_distances), metric=metric)
    else:
        linked = groups[rows]
    independent = len(np.unique(linked))
    return Series(
        train_share=share.value,
        train_low=low,
        train_high=high,
        in_series=low > LARGE_SHARE,
        farther=_probability_larger(test_distances, nearest_other),
        independent=independent,
        test_in_series=groups is None and independent < (1 - TEST_SHARE) * len(rows),
        repeats=left_out.repeats,
        train=left_out.images,
        test=len(rows),
        left_out=nearest_other,
        left_out_closeness=relative_distances(left_out.distances),
    )


def link(test_distances: NDArray[np.float64]) -> float:
    """The distance up to which images are linked: 1 % of held-out images lie so close to train."""
    return float(np.quantile(test_distances, 0.01))


def link_images(rows: Any, *, within: float, metric: Metric) -> NDArray[np.int64]:
    """Groups of images that are linked by short distances, directly or through others.

    Args:
        rows: float [n, d].
        within: two images up to this distance are linked, if one is among the other's 10 nearest.
        metric: the distance.

    Returns:
        int64 [n], a number from 0 on for each image's group.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    count = int(rows.shape[0])
    if count < 3:
        return np.arange(count)
    search = nearest(rows, rows, k=min(_LINKS, count - 1), metric=metric, exclude_self=True)
    first, column = np.nonzero(to_numpy(search.distances) <= within)
    second = to_numpy(search.indices)[first, column]
    links = coo_array((np.ones(len(first)), (first, second)), shape=(count, count))
    return np.asarray(connected_components(links, directed=False)[1], dtype=np.int64)


def _probability_larger(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """P(first > second) + P(first = second) / 2 for values drawn at random."""
    ordered = np.sort(second)
    below = np.searchsorted(ordered, first, side="left") + np.searchsorted(ordered, first, "right")
    return float(below.mean() / (2 * len(ordered)))
