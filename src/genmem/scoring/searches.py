"""The nearest training rows of a set by both distances, at one product; and what is remembered."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genmem.arrays import to_numpy
from genmem.metrics.copied_fraction import NEIGHBORS
from genmem.metrics.memorization_ratio import two_nearest_different
from genmem.neighbors import Nearest, NearestNeighbors

Searches = tuple[Nearest, Nearest | None]
"""By absolute cosine, and by Euclidean distance where that was searched."""


@dataclass
class Remembered:
    """What scores against the same train and test computed, for the next one.

    Attributes:
        fixed: what depends on train and test alone, by name.
        searches: of the first generated rows; None before the first score.
    """

    fixed: dict[str, Any] = field(default_factory=dict)
    searches: Searches | None = None


def search_train(
    queries: Any, train: Any, *, different: NDArray[np.int64] | None = None
) -> Searches:
    """The `NEIGHBORS` nearest training rows by absolute cosine, and the two nearest different ones.

    Args:
        queries: float [n, d].
        train: float [m, d].
        different: training rows that equal no earlier one, int64 [u], at least 2; None searches by
            cosine only.

    Returns:
        NumPy arrays.
    """
    k = min(NEIGHBORS, int(train.shape[0]))
    cosine, euclidean = NearestNeighbors(queries, k=k, metric="absolute_cosine"), None
    if different is None:
        cosine.update(train)
    else:
        # The searches share the products where both take the same array.
        euclidean, _ = two_nearest_different(
            cosine.queries, train, different=different, beside=cosine
        )
    search = cosine.compute()
    return Nearest(to_numpy(search.distances), to_numpy(search.indices)), euclidean


def join_searches(first: Searches, second: Searches) -> Searches:
    """The searches of some rows and of those after them, as one."""
    cosine, euclidean = (
        None if one is None or other is None else _join(one, other)
        for one, other in zip(first, second, strict=True)
    )
    if cosine is None:
        raise AssertionError("every search is by cosine")
    return cosine, euclidean


def _join(first: Nearest, second: Nearest) -> Nearest:
    return Nearest(
        np.concatenate([first.distances, second.distances]),
        np.concatenate([first.indices, second.indices]),
    )
