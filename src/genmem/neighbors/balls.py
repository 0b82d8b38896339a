"""Balls around the rows of one set that hold rows of another: precision, recall, density, coverage.

One matrix product serves the balls of both sets and of several radii. A float32 score decides where
it leaves no doubt; pairs within its error of a boundary are measured in float64 (`_ball_blocks`).
Small sets are compared in float64 alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from array_api_compat import is_torch_array
from numpy.typing import NDArray

from genmem.arrays import copy_float64, to_numpy
from genmem.errors import InputError
from genmem.neighbors._small import is_small
from genmem.neighbors.distances import pair_distances
from genmem.neighbors.equal_rows import device_of, group_equal_rows

WORTH_A_PRODUCT = 1 / 256
"""Share of open pairs from which a float64 product costs less than measuring each of them."""


@dataclass(frozen=True)
class BallOverlap:
    """Which rows of two sets lie in the closed balls of the other set.

    Attributes:
        held_by: int64 [s, n], of each query the number of reference balls that hold it, by radius.
        occupied: bool [s, m], whether the ball of each reference holds a query, by radius.
        reached: bool [m], whether the ball of some query holds each reference; all False without
            `query_radii`.
    """

    held_by: NDArray[np.int64]
    occupied: NDArray[np.bool_]
    reached: NDArray[np.bool_]


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


@dataclass(frozen=True)
class Balls:
    """The different closed balls of a set: equal rows have their balls once.

    Attributes:
        features: [rows, d], the set.
        rows: int64 [u], rows of the set.
        radii: float64 [s, u], radii of the balls around them.
        weights: int64 [u], how often each is in the set.
        groups: int64 [rows], the place of each row of the set among `rows`.
    """

    features: Any
    rows: NDArray[np.int64]
    radii: NDArray[np.float64]
    weights: NDArray[np.int64]
    groups: NDArray[np.int64]


def distinct_balls(features: Any, radii: Sequence[NDArray[np.float64]]) -> Balls:
    """The different balls of a set with so many radii, float64 [n] each."""
    rows, groups = group_equal_rows(features)
    if radii:
        keys = np.stack([groups.astype(np.float64), *radii], axis=1)
        _, first, groups = np.unique(keys, axis=0, return_index=True, return_inverse=True)
        order = np.argsort(first)
        rows, groups = first[order], np.argsort(order)[groups.reshape(-1)]
    weights = np.bincount(groups, minlength=len(rows))
    chosen = np.stack([values[rows] for values in radii]) if radii else np.empty((0, len(rows)))
    return Balls(features, rows, chosen, weights, groups)


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


def are_within(
    queries: Any,
    references: Any,
    rows: NDArray[np.int64],
    others: NDArray[np.int64],
    radii: NDArray[np.float64],
) -> NDArray[np.bool_]:
    """Whether the distance of each pair is at most its radius, bool [p].

    Where many pairs are open, as of rows along a line, a float64 product decides most of them.

    Args:
        queries: features [n, d].
        references: features [m, d].
        rows: int64 [p], rows of the queries.
        others: int64 [p], rows of the references.
        radii: float64 [p].
    """
    inside = np.zeros(len(rows), dtype=bool)
    waiting = np.arange(len(rows))
    q, row_of = np.unique(rows, return_inverse=True)
    r, column_of = np.unique(others, return_inverse=True)
    if len(rows) > WORTH_A_PRODUCT * len(q) * len(r):
        left, right = (
            to_numpy(copy_float64(array, used)) for array, used in ((queries, q), (references, r))
        )
        excess, error = _float64_excess(left, right, row_of, column_of, radii)
        inside = excess > error
        waiting = np.flatnonzero(np.abs(excess) <= error)
    distances = pair_distances(
        queries, references, rows[waiting], others[waiting], metric="euclidean"
    )
    inside[waiting] = distances <= radii[waiting]
    return inside


def _float64_excess(
    q: NDArray[np.float64],
    r: NDArray[np.float64],
    rows: NDArray[np.int64],
    columns: NDArray[np.int64],
    radii: NDArray[np.float64],
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """radius² − ‖q − r‖² of each pair from one float64 product, and a bound on its error, [p] each.

    A sum of d products errs by at most d·u·Σ|xᵢyᵢ| in any order, u = 2⁻⁵³; the factor 4 covers the
    three sums and the subtractions.
    """
    products = (q @ r.T)[rows, columns]
    squares = (q**2).sum(axis=1)[rows] + (r**2).sum(axis=1)[columns]
    error = 4 * (q.shape[1] + 8) * 2.0**-53 * (squares + radii**2)
    return radii**2 - (squares - 2 * products), error
