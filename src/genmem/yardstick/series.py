"""Series of images: bursts, scenes, products, patients; images that lie close to each other."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genmem.arrays import take_rows, to_numpy
from genmem.metrics.copied_fraction import (
    NEIGHBORS,
    copied_fraction_from,
    relative_distances,
)
from genmem.neighbors import Metric, nearest
from genmem.results import Json, Yardstick, fields_to_json

ROWS = 2_000
"""Training images that are left out in turn, and held-out images compared with each other: a seeded
sample where there are more."""

LARGE_SHARE = 0.01
"""A share of training images in series that matters. Exact repetitions of fewer do not keep a
blatant copier from being accused."""

TEST_SHARE = 0.2
"""Held-out images come in series where this share of them adds no independent one."""

_LINKS = 10
"""Held-out images that a held-out image can be linked with."""


@dataclass(frozen=True, kw_only=True)
class Series:
    """How close training images are to each other, beside how close held-out images are to them.

    Attributes:
        train_share: share of training images closer to another training image than held-out images
            ever are to any: `copied_fraction` of the training images, each left out in turn.
        train_low, train_high: its 95 % interval; a rough one, since two images of a series are each
            other's nearest.
        in_series: that share is larger than `LARGE_SHARE`, beyond chance.
        farther: the chance that a held-out image is farther from the training images than a
            training image from the others, a tie counting one half: .5 where they are alike.
        independent: groups that the held-out images form; images closer to each other than almost
            all are to training images are in one group.
        test_in_series: a large share of the held-out images is in such groups.
        train, test: images that were compared.
        left_out: float64 [train], distances of training images to their nearest other one.
        left_out_closeness: float64 [train], d1 / d5 of the same: what `copied_fraction` compares.
    """

    train_share: float
    train_low: float
    train_high: float
    in_series: bool
    farther: float
    independent: int
    test_in_series: bool
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


def left_out_of(yardstick: Yardstick | None) -> NDArray[np.float64] | None:
    """`Series.left_out` of a yardstick; None where series were not looked for."""
    series = series_of(yardstick)
    return None if series is None else series.left_out


def left_out_distances(train: Any, *, metric: Metric, seed: int) -> NDArray[np.float64]:
    """Distances of training images to their 5 nearest other ones, float64 [s, 5].

    Args:
        train: float [l, d].
        metric: the distance.
        seed: of the sample, where there are more than `ROWS`.
    """
    count = int(train.shape[0])
    k = min(NEIGHBORS, count - 1)
    if count <= ROWS:
        return to_numpy(nearest(train, train, k=k, metric=metric, exclude_self=True).distances)
    positions = np.sort(np.random.default_rng(seed).choice(count, ROWS, replace=False))
    # Of the nearest rows the first is the row itself, or an equal one.
    search = nearest(take_rows(train, positions), train, k=k + 1, metric=metric)
    return to_numpy(search.distances)[:, 1:]


def compare_series(
    *,
    left_out: NDArray[np.float64],
    test_distances: NDArray[np.float64],
    test: Any,
    metric: Metric,
    seed: int = 0,
) -> Series:
    """Find series among the training and among the held-out images.

    Args:
        left_out: float64 [s, k], distances of training images to their nearest other ones.
        test_distances: float64 [m], distances of held-out images to their nearest training image.
        test: float [m, d], the held-out images.
        metric: the distance of both.
        seed: of the sample of held-out images.
    """
    nearest_other = left_out[:, 0]
    share = copied_fraction_from(
        generated=nearest_other, test=test_distances, train_rows=len(left_out)
    )
    low, high = (share.interval.low, share.interval.high) if share.interval else (0.0, 1.0)
    compared = int(test.shape[0])
    if compared > ROWS:
        rows = np.sort(np.random.default_rng(seed).choice(compared, ROWS, replace=False))
        test, compared = take_rows(test, rows), ROWS
    independent = int(link_images(test, within=link(test_distances), metric=metric).max()) + 1
    return Series(
        train_share=share.value,
        train_low=low,
        train_high=high,
        in_series=low > LARGE_SHARE,
        farther=_probability_larger(test_distances, nearest_other),
        independent=independent,
        test_in_series=independent < (1 - TEST_SHARE) * compared,
        train=len(left_out),
        test=compared,
        left_out=nearest_other,
        left_out_closeness=relative_distances(left_out),
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
