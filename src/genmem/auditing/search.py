"""The k nearest different training images, over all augmentations of the training images.

Every augmentation of the training set (unchanged, flipped, cropped, …) is searched separately, and
the results are merged: the distance to a training image is the smallest over its augmentations,
and no training image is listed twice. A training image among the k nearest is, under its nearest
augmentation, among the k nearest of that augmentation, so the merged result is exact.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genmem.arrays import to_numpy
from genmem.neighbors import Metric, NearestNeighbors

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Queries:
    """Rows whose neighbors are wanted.

    Attributes:
        array: features [n, d].
        train_rows: int64 [n], the training row that each query is, for queries that are training
            images: it is no neighbor of itself under any augmentation. None for other images.
        train_groups: int64 [l], the group of every training row: where given, no image of a query's
            group is its neighbor.
    """

    array: Any
    train_rows: Ints | None = None
    train_groups: Ints | None = None

    @property
    def extra(self) -> int:
        """Neighbors to ask for beyond k, so that k remain without the row or its group."""
        if self.train_rows is None:
            return 0
        if self.train_groups is None:
            return 1
        return int(np.unique(self.train_groups, return_counts=True)[1].max())

    def is_own(self, train: Ints) -> NDArray[np.bool_]:
        """bool [n, k]: training rows [n, k] that are no neighbors of their query."""
        if self.train_rows is None:
            return np.zeros(train.shape, dtype=bool)
        if self.train_groups is None:
            return train == self.train_rows[:, None]
        own = self.train_groups[train] == self.train_groups[self.train_rows][:, None]
        return own & (train >= 0)


@dataclass(frozen=True, kw_only=True)
class Matches:
    """The k nearest different training images of each query, nearest first.

    Attributes:
        distances: float64 [n, k].
        train: int64 [n, k], rows of the training set.
        augmentations: int64 [n, k], number of the augmentation that was nearest.
    """

    distances: Floats
    train: Ints
    augmentations: Ints


def nearest_over_augmentations(
    queries: Mapping[str, Queries],
    augmentations: Iterable[Iterator[Any]],
    *,
    train_rows: Ints,
    k: int,
    metric: Metric,
) -> dict[str, Matches]:
    """Search each augmentation of the training set for all queries.

    Args:
        queries: by name.
        augmentations: for each one, the features of the training images, as float arrays [·, d]
            that follow each other in row order.
        train_rows: int64, ascending, the rows of the training set that those features are of.
        k: number of neighbors, fewer than there are training images.
        metric: the distance.

    Raises:
        InputError: features that are not finite or of several dimensions.
    """
    matches: dict[str, Matches] = {}
    for number, parts in enumerate(augmentations):
        # After the first augmentation only rows nearer than the k-th so far can matter.
        searches = {
            name: NearestNeighbors(
                query.array,
                k=k + query.extra,
                metric=metric,
                within=matches[name].distances[:, -1] if name in matches else None,
            )
            for name, query in queries.items()
        }
        for part in parts:
            for search in searches.values():
                search.update(part)
        for name, search in searches.items():
            neighbors = search.compute()
            indices = to_numpy(neighbors.indices)
            train = np.where(indices < 0, -1, train_rows[indices])
            new = Matches(
                distances=to_numpy(neighbors.distances),
                train=train,
                augmentations=np.full(train.shape, number, dtype=np.int64),
            )
            new = _leave_out(new, queries[name].is_own(new.train), k)
            matches[name] = _merge(matches[name], new, k) if name in matches else new
    return matches


def most_significant_first(matches: Sequence[Matches], chosen: Ints, k: int) -> Matches:
    """For display: the nearest match of one search first, then the nearest others of all.

    Args:
        matches: results of several searches for the same queries.
        chosen: int64 [n], the search whose nearest match comes first, for each query.
        k: number of training images to list.
    """
    width = matches[0].distances.shape[1]
    merged = matches[0]
    for other in matches[1:]:
        merged = _merge(merged, other, width)
    rows = np.arange(len(chosen))
    first = Matches(
        distances=np.stack([match.distances[:, 0] for match in matches])[chosen, rows][:, None],
        train=np.stack([match.train[:, 0] for match in matches])[chosen, rows][:, None],
        augmentations=np.stack([match.augmentations[:, 0] for match in matches])[chosen, rows][
            :, None
        ],
    )
    others = _leave_out(merged, merged.train == first.train, width)
    return _sliced(_joined(first, others), slice(min(k, width)))


def _joined(first: Matches, second: Matches) -> Matches:
    """The matches of both, side by side."""
    return Matches(
        distances=np.concatenate([first.distances, second.distances], axis=1),
        train=np.concatenate([first.train, second.train], axis=1),
        augmentations=np.concatenate([first.augmentations, second.augmentations], axis=1),
    )


def _sliced(matches: Matches, columns: slice) -> Matches:
    return Matches(
        distances=matches.distances[:, columns],
        train=matches.train[:, columns],
        augmentations=matches.augmentations[:, columns],
    )


def _leave_out(matches: Matches, own: NDArray[np.bool_], k: int) -> Matches:
    """The k nearest matches without those that are the query's own."""
    distances = np.where(own, np.inf, matches.distances)
    return _sliced(_sorted(replace(matches, distances=distances)), slice(k))


def _merge(first: Matches, second: Matches, k: int) -> Matches:
    """The k nearest of two results, each training image once."""
    both = _sorted(_joined(first, second))
    for column in range(1, both.train.shape[1]):
        repeated = (both.train[:, :column] == both.train[:, column, None]).any(axis=1)
        both.distances[repeated, column] = np.inf
    return _sliced(_sorted(both), slice(k))


def _sorted(matches: Matches) -> Matches:
    """Each row by distance, ties by lowest training row."""
    order = np.lexsort((matches.train, matches.distances), axis=1)
    return Matches(
        distances=np.take_along_axis(matches.distances, order, axis=1),
        train=np.take_along_axis(matches.train, order, axis=1),
        augmentations=np.take_along_axis(matches.augmentations, order, axis=1),
    )
