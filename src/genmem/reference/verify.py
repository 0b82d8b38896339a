"""`verify_reference`: are the files those that were written, and do their numbers agree?"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genmem.errors import InputError
from genmem.images import Progress
from genmem.metrics.memorization_ratio import two_nearest_different
from genmem.metrics.prdc import train_subset
from genmem.neighbors import Nearest, group_equal_rows, nearest
from genmem.neighbors.distances import Metric, pair_distances
from genmem.reference.description import SEED, near_duplicates
from genmem.reference.folder import check_digest
from genmem.reference.reference import Reference, ReferenceSpace, open_reference

_SAMPLE = 64
"""Rows of each set whose nearest rows are searched again."""

_TOLERANCE = 1e-6
"""Relative difference of distances that another machine's rounding may make."""


def verify_reference(path: str | Path, *, progress: Progress | None = None) -> Reference:
    """Recompute the digest of every file, read every array, and search for a sample of rows again.

    Digests and arrays may agree with a manifest that somebody else wrote: so the nearest rows of
    up to 64 random rows of each set, the repeats and the near-duplicates are computed anew. Mean,
    scatter and the two-sample test are not.

    Args:
        path: the reference.
        progress: called with (stage, done, total).

    Raises:
        InputError: the first file that is missing, damaged, holds what it must not, or disagrees
            with the features.
    """
    reference = open_reference(path)
    files = reference.manifest.files
    for done, name in enumerate(files):
        if progress is not None:
            progress(f"verifying {reference.name}", done, len(files))
        check_digest(reference.folder, reference.manifest, name)
    _read_all(reference)
    for name in reference.spaces:
        _check_space(reference.space(name))
    return reference


def _read_all(reference: Reference) -> None:
    """Read what the digests cannot vouch for: that arrays have their shapes and finite values."""
    for space in map(reference.space, reference.spaces):
        for name in space.array_names:
            space.array(name)
        for role in reference.manifest.sets:
            space.features(role)
    for role, entry in reference.manifest.sets.items():
        reference.ids(role).read()
        reference.hashes(role)
        reference.properties(role)
        if entry.thumbnails:
            reference.thumbnail(role, 0)
            reference.thumbnail(role, entry.count - 1)


def _check_space(space: ReferenceSpace) -> None:
    """Refuse a space whose arrays disagree with its features."""
    train = space.features("train")
    for name, rows, stored, expected in _searches(space, train):
        close = np.isclose(stored, expected, rtol=_TOLERANCE, atol=1e-12).all(axis=1)
        if not close.all():
            raise _disagreement(space, name, f"of row {int(rows[close.argmin()])}")
    for name, expected in (
        ("repeats", np.setdiff1d(np.arange(len(train)), group_equal_rows(train)[0])),
        ("near_duplicates", near_duplicates(space.euclidean)),
    ):
        if not np.array_equal(space.array(name), expected):
            raise _disagreement(space, name, "of train")


def _disagreement(space: ReferenceSpace, name: str, which: str) -> InputError:
    return InputError(
        f"{space.folder / name}.npy: the values {which} disagree with the features, which give "
        "others. Do not use this reference; make it again."
    )


def _searches(
    space: ReferenceSpace, train: Any
) -> Iterator[tuple[str, NDArray[np.int64], NDArray[np.float64], NDArray[np.float64]]]:
    """Arrays of distances, the sampled rows, and their distances as stored and as recomputed."""
    rows = _sample(len(train))
    stored: tuple[tuple[str, Nearest, Metric], ...] = (
        ("euclidean", space.euclidean, "euclidean"),
        ("cosine", space.cosine, "absolute_cosine"),
    )
    for name, search, metric in stored:
        distances, indices = search.distances[rows], search.indices[rows]
        yield f"{name}_distances", rows, distances, _others(train, rows, distances.shape[1], metric)
        yield f"{name}_indices", rows, distances, _measure(train, rows, train, indices, metric)
    subset = train[train_subset(len(train), space.entry.sizes["subset"], seed=SEED)]
    rows = _sample(len(subset))
    distances = space.array("subset_distances")[rows]
    expected = _others(subset, rows, distances.shape[1], "euclidean")
    yield "subset_distances", rows, distances, expected
    if not space.reference.has_test:
        return
    test = space.features("test")
    rows = _sample(len(test))
    searches: tuple[tuple[str, Nearest, Nearest, Metric], ...] = (
        (
            "test_cosine",
            space.test_cosine,
            nearest(
                test[rows], train, k=space.entry.sizes["test_cosine"], metric="absolute_cosine"
            ),
            "absolute_cosine",
        ),
        (
            "test_euclidean",
            space.test_euclidean,
            two_nearest_different(test[rows], train)[0],
            "euclidean",
        ),
    )
    for name, search, again, metric in searches:
        distances, indices = search.distances[rows], search.indices[rows]
        yield f"{name}_distances", rows, distances, again.distances
        yield f"{name}_indices", rows, distances, _measure(test, rows, train, indices, metric)


def _sample(count: int) -> NDArray[np.int64]:
    """Up to `_SAMPLE` rows, ascending."""
    rng = np.random.default_rng(SEED)
    return np.sort(rng.choice(count, min(count, _SAMPLE), replace=False))


def _others(train: Any, rows: NDArray[np.int64], k: int, metric: Metric) -> NDArray[np.float64]:
    """Distances of some rows to their k nearest other rows, float64 [q, k]."""
    search = nearest(train[rows], train, k=k + 1, metric=metric)
    others = search.indices != rows[:, None]
    others[others.all(axis=1), -1] = False  # itself stands behind k equal rows
    return search.distances[others].reshape(len(rows), k)


def _measure(
    queries: Any, rows: NDArray[np.int64], train: Any, indices: NDArray[np.int64], metric: Metric
) -> NDArray[np.float64]:
    """Distances of some rows to the training rows that are listed for them, float64 [q, k]."""
    pairs = np.repeat(rows, indices.shape[1]), indices.ravel()
    return pair_distances(queries, train, *pairs, metric=metric).reshape(indices.shape)
