"""The k nearest different training images, over all forms in which training images are compared.

Every form of the training set (as it is, flipped, cropped, …) is searched by itself, and the
answers are merged: an image's distance is the smallest over its forms, and no training image is
named twice. A training image among the k nearest has its nearest form among the k nearest of that
form, so the merged answer is exact.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genmem.arrays import to_numpy
from genmem.neighbors import Metric, NearestNeighbors

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, kw_only=True)
class Queries:
    """Rows whose neighbours are wanted.

    Attributes:
        array: features [n, d].
        own: int64 [n], the training image each of them is, which is no neighbour of itself in any
            form; None where they are no training images.
    """

    array: Any
    own: Ints | None = None

    @property
    def extra(self) -> int:
        """Neighbours to ask for beyond k, so that k remain without the row itself."""
        return 0 if self.own is None else 1


@dataclass(frozen=True, kw_only=True)
class Matches:
    """The k nearest different training images of each query, nearest first.

    Attributes:
        distances: float64 [n, k].
        train: int64 [n, k], rows of the training set.
        forms: int64 [n, k], the form that was nearest.
    """

    distances: Floats
    train: Ints
    forms: Ints


def nearest_over_forms(
    queries: Mapping[str, Queries],
    forms: Iterable[Iterator[Any]],
    *,
    kept: Ints,
    k: int,
    metric: Metric,
) -> dict[str, Matches]:
    """Search each form of the training set for all queries.

    Args:
        queries: by name.
        forms: for each form the features of the kept training images, float arrays [·, d] that
            follow each other in row order.
        kept: int64, the rows of the training set that `forms` are made of, ascending.
        k: neighbours wanted, fewer than there are training images.
        metric: which distance.

    Raises:
        InputError: features that are not finite or of several dimensions.
    """
    found: dict[str, Matches] = {}
    for form, parts in enumerate(forms):
        # After the first form only what comes into the k nearest so far is of interest.
        searches = {
            name: NearestNeighbors(
                one.array,
                k=k + one.extra,
                metric=metric,
                within=found[name].distances[:, -1] if name in found else None,
            )
            for name, one in queries.items()
        }
        for part in parts:
            for search in searches.values():
                search.update(part)
        for name, search in searches.items():
            answer = search.compute()
            indices = to_numpy(answer.indices)
            train = np.where(indices < 0, -1, kept[indices])
            fresh = Matches(
                distances=to_numpy(answer.distances),
                train=train,
                forms=np.full(train.shape, form, dtype=np.int64),
            )
            fresh = _without_own(fresh, queries[name].own, k)
            found[name] = _merged(found[name], fresh, k) if name in found else fresh
    return found


def telling_first(found: Sequence[Matches], telling: Ints, k: int) -> Matches:
    """For display: of several answers the most telling match first, then the nearest others.

    Args:
        found: answers for the same queries.
        telling: int64 [n], the answer whose nearest match tells most of each query.
        k: training images to keep.
    """
    width = found[0].distances.shape[1]
    merged = found[0]
    for one in found[1:]:
        merged = _merged(merged, one, width)
    rows = np.arange(len(telling))
    first = Matches(
        distances=np.stack([one.distances[:, 0] for one in found])[telling, rows][:, None],
        train=np.stack([one.train[:, 0] for one in found])[telling, rows][:, None],
        forms=np.stack([one.forms[:, 0] for one in found])[telling, rows][:, None],
    )
    others = _without_own(merged, first.train[:, 0], width)
    return Matches(
        distances=np.concatenate([first.distances, others.distances], axis=1)[:, : min(k, width)],
        train=np.concatenate([first.train, others.train], axis=1)[:, : min(k, width)],
        forms=np.concatenate([first.forms, others.forms], axis=1)[:, : min(k, width)],
    )


def _without_own(matches: Matches, own: Ints | None, k: int) -> Matches:
    """The matches without the query itself, and no more than k."""
    if own is None:
        return matches
    distances = np.where(matches.train == own[:, None], np.inf, matches.distances)
    return _ordered(distances, matches.train, matches.forms, k)


def _merged(one: Matches, other: Matches, k: int) -> Matches:
    """The k nearest of two answers, each training image once."""
    distances = np.concatenate([one.distances, other.distances], axis=1)
    train = np.concatenate([one.train, other.train], axis=1)
    forms = np.concatenate([one.forms, other.forms], axis=1)
    by_distance = np.lexsort((train, distances), axis=1)
    distances, train, forms = (
        np.take_along_axis(array, by_distance, axis=1) for array in (distances, train, forms)
    )
    for column in range(1, train.shape[1]):
        again = (train[:, :column] == train[:, column, None]).any(axis=1)
        distances[again, column] = np.inf
    return _ordered(distances, train, forms, k)


def _ordered(distances: Floats, train: Ints, forms: Ints, k: int) -> Matches:
    """The k smallest distances of each row, ties by lowest training row."""
    order = np.lexsort((train, distances), axis=1)[:, :k]
    return Matches(
        distances=np.take_along_axis(distances, order, axis=1),
        train=np.take_along_axis(train, order, axis=1),
        forms=np.take_along_axis(forms, order, axis=1),
    )
