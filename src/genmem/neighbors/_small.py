"""Small searches, in float64 and without torch, whose import takes longer than they do.

A float64 product proposes the candidates, as a float32 product does in `_blocked`; both measure
them by `pair_distances`, so the two ways give the same bits. The size alone decides between them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from genmem.arrays import copy_float64
from genmem.neighbors._state import SearchState
from genmem.neighbors.distances import NORM_RANGE, norm_error, pair_distances, unit_rows
from genmem.neighbors.equal_rows import is_on_cpu, without_copies

PAIRS = 2**18
"""The most pairs of a small search: five images asked against 50,000, or 512 against 512."""

PRODUCTS = 2**31
"""The most multiplications of a small search: about a tenth of a second on one core."""

_PART_BYTES = 16 * 2**20
"""float64 bytes of the references that are compared at once."""


def is_small(queries: Any, references: Any, *, rows: int) -> bool:
    """Whether a search is small, on the CPU.

    Args:
        queries: features [n, d].
        references: features [m, d].
        rows: different queries.
    """
    pairs = rows * int(references.shape[0])
    products = pairs * int(queries.shape[1])
    return pairs <= PAIRS and products <= PRODUCTS and is_on_cpu(queries, references)


def search_small(state: SearchState, references: Any, first: int) -> None:
    """Add the references to the state.

    Args:
        state: the search so far.
        references: features [m, d].
        first: the index of their first row.

    Raises:
        InputError: the norm of a row is out of range.
    """
    queries = _prepared(state, state.queries, state.rows)
    step = max(1, _PART_BYTES // (8 * int(references.shape[1])))
    for start in range(0, int(references.shape[0]), step):
        part = references[start : start + step]
        chosen = without_copies(part, state.width)
        scores, errors = _scores(state, queries, _prepared(state, part, chosen, first=start))
        rows, columns = _candidates(scores, errors, state.width)
        index = start + chosen[columns]
        distances = pair_distances(
            state.queries, references, state.rows[rows], index, metric=state.metric
        )
        state.merge(rows, first + index, distances)


def _prepared(
    state: SearchState, array: Any, rows: NDArray[np.int64], *, first: int = 0
) -> NDArray[np.float64]:
    """Rows as float64, of norm 1 for the cosine metrics."""
    values = copy_float64(array, rows)
    with np.errstate(over="ignore", under="ignore"):
        norms = np.linalg.norm(values, axis=1)
    low, high = NORM_RANGE
    outside = np.flatnonzero(values.any(axis=1) & ((norms < low) | (norms > high)))
    if len(outside):
        raise norm_error(first + int(rows[outside[0]]), float(norms[outside[0]]))
    return values if state.metric == "euclidean" else unit_rows(values)


def _scores(
    state: SearchState, queries: NDArray[np.float64], references: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Scores [b, c], larger for nearer rows, and a bound on their error for each query, [b].

    A sum of d products errs by at most d·u·Σ|xᵢyᵢ| in any order, u = 2⁻⁵³; another 8u cover the
    rounding of sums, and the factor 4 that of unit rows and of the distance, as it is measured.
    """
    scores = queries @ references.T
    unit = 4 * (queries.shape[1] + 8) * 2.0**-53
    if state.metric != "euclidean":
        if state.metric == "absolute_cosine":
            np.abs(scores, out=scores)
        return scores, np.full(len(queries), unit)
    squares = np.einsum("ij,ij->i", references, references)
    scores -= squares / 2
    largest = float(squares.max()) ** 0.5
    lengths = np.linalg.norm(queries, axis=1)
    return scores, unit * (lengths + largest) ** 2


def _candidates(
    scores: NDArray[np.float64], errors: NDArray[np.float64], width: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Row and column of the pairs that may be among the `width` best of their row."""
    count = scores.shape[1]
    place = count - min(width, count)
    least = np.partition(scores, place, axis=1)[:, place] - 2 * errors
    rows, columns = np.nonzero(scores >= least[:, None])
    return rows, columns
