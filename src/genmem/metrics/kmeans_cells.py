"""Cells of feature space: principal components and seeded k-means of the training rows."""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from genmem.arrays import block_slices, copy_float64, take_rows, to_numpy
from genmem.errors import UsageError
from genmem.metrics.moments import moments

if TYPE_CHECKING:
    from sklearn.cluster import KMeans

_ROWS_FOR_CENTRES = 50_000
"""Training rows k-means looks at; a seeded sample where there are more, so memory is bounded."""

_STARTS = 10
"""Runs of k-means from fresh k-means++ starts, of which the best counts."""


def project(train: Any, *others: Any, components: int) -> list[NDArray[np.float32]]:
    """All sets in the leading principal components of `train`, about its mean.

    Args:
        train: features [m, d], NumPy or torch; what the components are fitted to.
        others: features [n, d] to be projected too.
        components: how many, at most min(m − 1, d).

    Returns:
        float32 [rows, components] for train and each of the others, in order.

    Raises:
        UsageError: more components than the training rows span.
    """
    rows, dimension = (int(length) for length in train.shape)
    most = min(rows - 1, dimension)
    if not 1 <= components <= most:
        raise UsageError(
            f"pca: expected between 1 and {most} components for {rows} training rows of "
            f"{dimension} dimensions, got {components}."
        )
    mean, covariance = (to_numpy(array) for array in moments(train).compute())
    from scipy.linalg import eigh

    _, axes = eigh(covariance, subset_by_index=(dimension - components, dimension - 1))
    return [_project(features, mean, axes) for features in (train, *others)]


def _project(
    features: Any, mean: NDArray[np.float64], axes: NDArray[np.float64]
) -> NDArray[np.float32]:
    out = np.empty((int(features.shape[0]), axes.shape[1]), dtype=np.float32)
    for part in block_slices(*(int(length) for length in features.shape)):
        out[part] = (to_numpy(copy_float64(features, part)) - mean) @ axes
    return out


@dataclass(frozen=True)
class Cells:
    """A partition of feature space fitted to training rows: each point to its nearest centre.

    Attributes:
        count: cells, numbered from 0. Some have no training rows where those have fewer distinct
            values than cells were asked for.
    """

    count: int
    _means: KMeans

    def assign(self, features: Any) -> NDArray[np.int64]:
        """The cell of every row, int64 [n]."""
        out = np.empty(int(features.shape[0]), dtype=np.int64)
        for part in block_slices(*(int(length) for length in features.shape)):
            rows = to_numpy(copy_float64(features, part)).astype(np.float32)
            out[part] = self._means.predict(rows)
        return out


def fit_cells(train: Any, *, cells: int, seed: int) -> Cells:
    """Cells by k-means on the training rows (Euclidean), best of 10 seeded starts.

    Args:
        train: features [m, d], NumPy or torch. Of more than 50,000 rows a seeded sample is used.
        cells: how many.
        seed: of the starts and the sample.

    Raises:
        UsageError: fewer than one cell, or more than training rows.
    """
    rows = int(train.shape[0])
    if not 1 <= cells <= rows:
        raise UsageError(f"cells: expected between 1 and the {rows} training rows, got {cells}.")
    chosen = np.arange(rows)
    if rows > _ROWS_FOR_CENTRES:
        chosen = np.sort(np.random.default_rng(seed).permutation(rows)[:_ROWS_FOR_CENTRES])
    sample = to_numpy(take_rows(train, chosen)).astype(np.float32, copy=False)
    # scikit-learn has no type hints; pyright takes n_init for a str from its default, "auto".
    # Imported where it is used: it takes a second, and most scores have no cells.
    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning

    means = KMeans(n_clusters=cells, n_init=_STARTS, random_state=seed)  # pyright: ignore[reportArgumentType]
    with warnings.catch_warnings():
        # Said when duplicated training rows leave cells empty; the table of cells shows those.
        warnings.simplefilter("ignore", ConvergenceWarning)
        means.fit(sample)
    return Cells(count=cells, _means=means)
