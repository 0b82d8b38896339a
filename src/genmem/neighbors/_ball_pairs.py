"""Pairs of rows and balls: what both ways of comparing them share. Nothing here loads torch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genmem.arrays import copy_float64, to_numpy
from genmem.neighbors.distances import pair_distances
from genmem.neighbors.equal_rows import group_equal_rows

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
