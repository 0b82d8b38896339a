"""What metrics need of the training rows alone, and of held-out rows beside them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from genmem.arrays import check_at_least, to_numpy
from genmem.metrics.memorization_ratio import distance_ratios, two_nearest_different
from genmem.metrics.moments import moments
from genmem.metrics.prdc import DENSITY_NEIGHBORHOOD, SUBSET_ROWS, train_subset
from genmem.neighbors import Nearest, group_equal_rows, nearest
from genmem.reference.manifest import stores_moments

SEED = 0
"""Of the subset whose distances are stored: the default of every command."""

EUCLIDEAN_NEIGHBORS = 5
COSINE_NEIGHBORS = 10
"""Other training rows that are listed for each training row, by Euclidean distance and by absolute
cosine; by the latter as many for each held-out row. An audit compares with the tenth."""

NEAR = 1 / 3
"""Two training rows are near-duplicates where d1/d2 of one to the others is below this."""

Arrays = dict[str, NDArray[Any]]


def neighbor_counts(rows: int) -> dict[str, int]:
    """How many neighbors a reference lists, and rows of the subset, by names of `Space.sizes`.

    Args:
        rows: of the training set.
    """
    subset = min(rows, SUBSET_ROWS)
    return {
        "euclidean": min(EUCLIDEAN_NEIGHBORS, rows - 1),
        "cosine": min(COSINE_NEIGHBORS, rows - 1),
        "subset": subset,
        "subset_neighbors": min(DENSITY_NEIGHBORHOOD, subset - 1),
        "test_cosine": min(COSINE_NEIGHBORS, rows),
    }


def describe_train(train: Any) -> tuple[Arrays, dict[str, int]]:
    """Describe training rows; the two searches of all rows among each other take by far longest.

    Args:
        train: float32 [n, d], memory-mapped too.

    Returns:
        Arrays by the names of `manifest.derived_arrays`, and the lengths of their sides.

    Raises:
        InputError: fewer than two different rows.
    """
    rows = int(train.shape[0])
    first, _ = group_equal_rows(train)
    check_at_least(len(first), 2, role="train", why="distances take two different training images.")
    counts = neighbor_counts(rows)
    euclidean = _among(train, counts["euclidean"], "euclidean")
    cosine = _among(train, counts["cosine"], "absolute_cosine")
    subset = train[train_subset(rows, counts["subset"], seed=SEED)]
    inside = _among(subset, counts["subset_neighbors"], "euclidean")
    arrays: Arrays = {}
    if stores_moments(int(train.shape[1])):
        seen = moments(train)
        arrays |= {"mean": seen.mean, "scatter": seen.scatter}
    arrays |= {
        "euclidean_distances": euclidean.distances,
        "euclidean_indices": euclidean.indices,
        "cosine_distances": cosine.distances,
        "cosine_indices": cosine.indices,
        "repeats": np.setdiff1d(np.arange(rows), first),
        "near_duplicates": near_duplicates(euclidean),
        "subset_distances": inside.distances,
    }
    del counts["test_cosine"]
    lengths = {"repeats": len(arrays["repeats"]), "pairs": len(arrays["near_duplicates"])}
    return arrays, counts | lengths


def describe_test(test: Any, train: Any) -> tuple[Arrays, dict[str, int]]:
    """Describe held-out rows by their nearest training rows.

    Args:
        test: float32 [m, d].
        train: float32 [n, d].

    Returns:
        Arrays by the names of `manifest.DERIVED_OF_TEST`, and the lengths of their sides.
    """
    k = neighbor_counts(int(train.shape[0]))["test_cosine"]
    cosine = nearest(test, train, k=k, metric="absolute_cosine")
    euclidean, _ = two_nearest_different(test, train)
    arrays = {
        "test_cosine_distances": to_numpy(cosine.distances),
        "test_cosine_indices": to_numpy(cosine.indices),
        "test_euclidean_distances": euclidean.distances,
        "test_euclidean_indices": euclidean.indices,
    }
    return arrays, {"test_cosine": k}


def near_duplicates(search: Nearest) -> NDArray[np.int64]:
    """Pairs of training rows that nearly repeat each other, int64 [p, 2], ascending.

    Args:
        search: each row's nearest other rows, Euclidean, k ≥ 1.
    """
    distances = search.distances
    near = distances[:, 0] == 0
    if distances.shape[1] > 1:
        near |= distance_ratios(search) < NEAR
    rows = np.flatnonzero(near)
    pairs = np.stack([rows, search.indices[rows, 0]], axis=1)
    return np.unique(np.sort(pairs, axis=1), axis=0).astype(np.int64).reshape(-1, 2)


def _among(rows: Any, k: int, metric: Any) -> Nearest:
    """The k nearest other rows of each row."""
    search = nearest(rows, rows, k=k, metric=metric, exclude_self=True)
    return Nearest(to_numpy(search.distances), to_numpy(search.indices))
