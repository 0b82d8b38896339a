"""`count_balls`: how many balls hold each query, for precision, recall and density."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from array_api_compat import is_torch_array
from numpy.typing import NDArray

from genmem.errors import InputError
from genmem.neighbors._blocks import (
    Block,
    Center,
    add_products,
    center_of,
    device_of,
    load_block,
    query_rows,
    reference_rows,
)
from genmem.neighbors.distances import pair_distances
from genmem.neighbors.equal_rows import group_equal_rows, read_rows
from genmem.neighbors.float32_bound import score_scale, score_tolerance


def count_balls(queries: Any, centers: Any, radii: Any) -> Any:
    """Count, for each query, the closed Euclidean balls B(center, radius) that hold it.

    A float32 matrix product decides where it leaves no doubt; pairs within its error of the
    boundary are measured in float64, from differences. A query at exactly the radius is inside.

    Args:
        queries: features [n, d], NumPy or torch.
        centers: features [m, d], the same kind of array.
        radii: float [m], in the unit of the features.

    Returns:
        int64 [n], of the queries' kind and device.

    Raises:
        InputError: the shapes do not fit together.
    """
    if queries.shape[1] != centers.shape[1] or tuple(radii.shape) != (centers.shape[0],):
        raise InputError(
            f"expected queries [n, d], centers [m, d] and radii [m], got {tuple(queries.shape)}, "
            f"{tuple(centers.shape)} and {tuple(radii.shape)}."
        )
    radii64 = np.asarray(radii.cpu() if is_torch_array(radii) else radii, dtype=np.float64)
    rows, groups = group_equal_rows(queries)
    balls, weights = _different_balls(centers, radii64)
    device = device_of(queries)
    center = center_of(centers, queries, metric="euclidean", device=device)
    count = torch.zeros(len(rows), dtype=torch.int64)
    step = query_rows(int(queries.shape[1]))
    for start in range(0, len(rows), step):
        part = rows[start : start + step]
        block = load_block(queries, part, metric="euclidean", device=device, center=center)
        counted = _Balls(centers, radii64, balls, weights, center)
        count[start : start + step] = _count(queries, part, block, counted)
    count = count[groups]
    return count.to(device) if is_torch_array(queries) else count.numpy()


WORTH_A_PRODUCT = 1 / 256
"""Share of open pairs from which a float64 product costs less than measuring each of them."""


@dataclass(frozen=True)
class _Balls:
    """Closed balls: rows `rows` of `centers` with their `radii`, each counted `weights` times."""

    centers: Any
    radii: NDArray[np.float64]
    rows: NDArray[np.int64]
    weights: NDArray[np.int64]
    center: Center | None


def _different_balls(
    centers: Any, radii: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Rows of the balls of which none equals an earlier one, and how often each is there."""
    _, groups = group_equal_rows(centers)
    pairs = np.stack([groups.astype(np.float64), radii], axis=1)
    _, first, weights = np.unique(pairs, axis=0, return_index=True, return_counts=True)
    order = np.argsort(first)
    return first[order], weights[order]


def _count(
    queries: Any, query_rows: NDArray[np.int64], block_q: Block, balls: _Balls
) -> torch.Tensor:
    """int64 [b] on the CPU: balls that hold the queries of a block.

    ‖q − c‖ ≤ r exactly when q·c + (r² − ‖c‖²)/2 ≥ ‖q‖²/2.
    """
    device = block_q.rows.device
    dimension = int(block_q.rows.shape[1])
    tolerance = score_tolerance(dimension, device=device)
    scale = 1.0 if balls.center is None else balls.center.scale
    count = torch.zeros(len(query_rows), dtype=torch.int64)
    step = reference_rows(len(query_rows), dimension)
    for low in range(0, len(balls.rows), step):
        numbers = balls.rows[low : low + step]
        block = load_block(
            balls.centers, numbers, metric="euclidean", device=device, center=balls.center
        )
        half_radii = torch.from_numpy(balls.radii[numbers] * scale).square() / 2
        half_radii = half_radii.to(device=device, dtype=torch.float32)
        weights = torch.from_numpy(balls.weights[low : low + step])
        reach = (half_radii - block.half_squares).repeat(len(query_rows), 1)
        add_products(reach, block_q, block)
        scores = score_scale(block_q, block, "euclidean")
        doubt = tolerance * (scores + block_q.half_squares + half_radii.max())
        surely = reach > (block_q.half_squares + doubt)[:, None]
        maybe = reach >= (block_q.half_squares - doubt)[:, None]
        inside = torch.count_nonzero(surely, dim=1)
        unsure = (torch.count_nonzero(maybe, dim=1) > inside).nonzero().flatten()
        repeated = weights > 1
        more = (weights[repeated] - 1).to(device, torch.int32)
        count += (inside + (surely[:, repeated.to(device)] * more).sum(dim=1)).cpu()
        rows, columns = (maybe[unsure] & ~surely[unsure]).nonzero(as_tuple=True)
        rows, columns = unsure[rows].cpu().numpy(), columns.cpu().numpy()
        doubtful = _Pairs(rows, columns, query_rows, numbers)
        decided = torch.from_numpy(_is_inside(queries, balls, doubtful))
        rows, columns = torch.from_numpy(rows), torch.from_numpy(columns)
        count.index_add_(0, rows[decided], weights[columns[decided]])
    return count


@dataclass(frozen=True)
class _Pairs:
    """Pairs of a block that float32 does not decide.

    Attributes:
        rows, columns: int64 [p], positions in the block.
        queries: int64 [b], the rows of the queries at these positions.
        centers: int64 [c], the rows of the centers.
    """

    rows: NDArray[np.int64]
    columns: NDArray[np.int64]
    queries: NDArray[np.int64]
    centers: NDArray[np.int64]


def _is_inside(queries: Any, balls: _Balls, pairs: _Pairs) -> NDArray[np.bool_]:
    """Whether the ball of each pair holds its query, bool [p].

    Where many pairs are open, as of rows along a line, a float64 product decides most of them.
    """
    inside = np.zeros(len(pairs.rows), dtype=bool)
    waiting = np.arange(len(pairs.rows))
    used = np.unique(pairs.rows)
    if len(waiting) > WORTH_A_PRODUCT * len(used) * len(pairs.centers):
        excess, error = _float64_excess(queries, balls, pairs, used)
        inside = excess > error
        waiting = np.flatnonzero(np.abs(excess) <= error)
    distances = pair_distances(
        queries,
        balls.centers,
        torch.from_numpy(pairs.queries[pairs.rows[waiting]]),
        torch.from_numpy(pairs.centers[pairs.columns[waiting]]),
        metric="euclidean",
    ).numpy()
    inside[waiting] = distances <= balls.radii[pairs.centers[pairs.columns[waiting]]]
    return inside


def _float64_excess(
    queries: Any, balls: _Balls, pairs: _Pairs, used: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """r² − ‖q − c‖² of each pair from one float64 product, and a bound on its error, [p] each.

    A sum of d products errs by at most d·u·Σ|xᵢyᵢ| in any order, u = 2⁻⁵³; the factor 4 covers the
    three sums and the subtractions.

    Args:
        queries: features [n, d].
        balls: the balls.
        pairs: the pairs in question.
        used: the different `rows` of the pairs, ascending.
    """
    q, c = (
        read_rows(array, rows).cpu().to(torch.float64).numpy()
        for array, rows in ((queries, pairs.queries[used]), (balls.centers, pairs.centers))
    )
    places = np.searchsorted(used, pairs.rows), pairs.columns
    products = (q @ c.T)[places]
    squares = (q**2).sum(axis=1)[places[0]] + (c**2).sum(axis=1)[places[1]]
    radii = balls.radii[pairs.centers][places[1]] ** 2
    error = 4 * (q.shape[1] + 8) * 2.0**-53 * (squares + radii)
    return radii - (squares - 2 * products), error
