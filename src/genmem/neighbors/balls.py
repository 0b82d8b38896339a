"""Balls around the rows of one set that hold rows of another: precision, recall, density, coverage.

One matrix product serves the balls of both sets and of several radii. A float32 score decides where
it leaves no doubt; pairs within its error of a boundary are measured in float64 (`_ball_blocks`).
Small sets are compared in float64 alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from array_api_compat import is_torch_array
from numpy.typing import NDArray

from genmem.errors import InputError
from genmem.neighbors._ball_pairs import BallOverlap, Balls, are_within, distinct_balls
from genmem.neighbors._small import is_small
from genmem.neighbors.equal_rows import device_of


def count_balls(queries: Any, centers: Any, radii: Any) -> Any:
    """Count, for each query, the closed Euclidean balls B(center, radius) that hold it.

    A query at exactly the radius is inside.

    Args:
        queries: features [n, d], NumPy or torch.
        centers: features [m, d]. Where one set is on a GPU, the other's rows are moved there.
        radii: float [m], in the unit of the features.

    Returns:
        int64 [n], of the queries' kind and device.

    Raises:
        InputError: the shapes do not fit together.
    """
    count = ball_overlap(queries, centers, reference_radii=[radii]).held_by[0]
    if not is_torch_array(queries):
        return count
    import torch

    return torch.from_numpy(count).to(device_of(queries))


def ball_overlap(
    queries: Any, references: Any, *, reference_radii: Sequence[Any], query_radii: Any = None
) -> BallOverlap:
    """Compare all pairs of two sets with the radii of their Euclidean balls, in one pass.

    Args:
        queries: features [n, d], NumPy or torch.
        references: features [m, d], as for `count_balls`.
        reference_radii: float [m] each, radii of the balls around the references, in the unit of
            the features.
        query_radii: float [n], radii of the balls around the queries; None: these are not wanted.

    Raises:
        InputError: the shapes do not fit together.
    """
    radii = [_radii(values) for values in reference_radii]
    around_queries = [] if query_radii is None else [_radii(query_radii)]
    fits = queries.shape[1] == references.shape[1]
    fits &= all(values.shape == (references.shape[0],) for values in radii)
    if not fits or any(values.shape != (queries.shape[0],) for values in around_queries):
        raise InputError(
            "expected queries [n, d], references [m, d] and radii [m] and [n], got "
            f"{tuple(queries.shape)}, {tuple(references.shape)} and "
            f"{', '.join(str(values.shape) for values in (*radii, *around_queries))}."
        )
    around_both = distinct_balls(queries, around_queries), distinct_balls(references, radii)
    if is_small(queries, references, rows=len(around_both[0].rows)):
        return _small_overlap(*around_both)
    from genmem.neighbors._ball_blocks import overlap_blocks  # loads torch

    return overlap_blocks(*around_both)


def _radii(values: Any) -> NDArray[np.float64]:
    return np.asarray(values.cpu() if is_torch_array(values) else values, dtype=np.float64)


def _small_overlap(queries: Balls, references: Balls) -> BallOverlap:
    """`ball_overlap` of few pairs, all of which float64 decides."""
    shape = (len(queries.rows), len(references.rows))
    rows, columns = (place.ravel() for place in np.indices(shape))

    def inside(radii: NDArray[np.float64]) -> NDArray[np.bool_]:
        return are_within(
            queries.features,
            references.features,
            queries.rows[rows],
            references.rows[columns],
            np.broadcast_to(radii, shape).ravel(),
        ).reshape(shape)

    kinds = [inside(radii) for radii in references.radii]
    held_by = np.array([kind @ references.weights for kind in kinds], dtype=np.int64)
    reached = np.zeros(shape[1], bool)
    for radii in queries.radii:
        reached |= inside(radii[:, None]).any(axis=0)
    return BallOverlap(
        held_by.reshape(-1, shape[0])[:, queries.groups],
        np.array([kind.any(axis=0) for kind in kinds]).reshape(-1, shape[1])[:, references.groups],
        reached[references.groups],
    )
