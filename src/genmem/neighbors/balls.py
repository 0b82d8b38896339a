"""Balls around the rows of one set that hold rows of another: precision, recall, density, coverage.

One matrix product serves the balls of both sets and of several radii. A float32 score decides where
it leaves no doubt; pairs within its error of a boundary are measured in float64.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from array_api_compat import is_torch_array
from numpy.typing import NDArray

from genmem.arrays import block_bytes
from genmem.errors import InputError
from genmem.neighbors._blocks import (
    Block,
    Center,
    add_products,
    center_of,
    load_block,
    query_rows,
    reference_rows,
)
from genmem.neighbors.distances import pair_distances
from genmem.neighbors.equal_rows import device_of, group_equal_rows, read_rows
from genmem.neighbors.float32_bound import score_scale, score_tolerance
from genmem.torch_settings import ieee_float32

WORTH_A_PRODUCT = 1 / 256
"""Share of open pairs from which a float64 product costs less than measuring each of them."""

_SCORE_BYTES = 16 * 2**20
"""float32 bytes of the scores that are compared at once; several passes read them."""


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
    if is_torch_array(queries):
        return torch.from_numpy(count).to(device_of(queries))
    return count


@ieee_float32()
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
    overlap = _Overlap(_distinct(queries, around_queries), _distinct(references, radii))
    device = device_of(queries, references)
    center = center_of(references, queries, metric="euclidean", device=device)
    rows = overlap.queries.rows
    step = query_rows(int(queries.shape[1]), device)
    for start in range(0, len(rows), step):
        part = slice(start, min(start + step, len(rows)))
        block = load_block(queries, rows[part], metric="euclidean", device=device, center=center)
        overlap.add(part, block, center)
    return overlap.result()


def _radii(values: Any) -> NDArray[np.float64]:
    return np.asarray(values.cpu() if is_torch_array(values) else values, dtype=np.float64)


@dataclass(frozen=True)
class _Balls:
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


def _distinct(features: Any, radii: Sequence[NDArray[np.float64]]) -> _Balls:
    rows, groups = group_equal_rows(features)
    if radii:
        keys = np.stack([groups.astype(np.float64), *radii], axis=1)
        _, first, groups = np.unique(keys, axis=0, return_index=True, return_inverse=True)
        order = np.argsort(first)
        rows, groups = first[order], np.argsort(order)[groups.reshape(-1)]
    weights = np.bincount(groups, minlength=len(rows))
    chosen = np.stack([values[rows] for values in radii]) if radii else np.empty((0, len(rows)))
    return _Balls(features, rows, chosen, weights, groups)


class _Overlap:
    """The overlap of two sets of balls, added up block by block."""

    def __init__(self, queries: _Balls, references: _Balls) -> None:
        self.queries, self.references = queries, references
        kinds, balls = references.radii.shape
        self._held_by = np.zeros((kinds, len(queries.rows)), np.int64)
        self._occupied = np.zeros((kinds, balls), bool)
        self._reached = np.zeros(balls, bool)

    def result(self) -> BallOverlap:
        """The overlap, row by row of the sets."""
        queries, references = self.queries.groups, self.references.groups
        return BallOverlap(
            self._held_by[:, queries], self._occupied[:, references], self._reached[references]
        )

    def add(self, part: slice, block: Block, center: Center | None) -> None:
        """Compare the queries of one block with all references."""
        device, (count, dimension) = block.rows.device, block.rows.shape
        size = block_bytes(device, _SCORE_BYTES)
        step = min(reference_rows(count, dimension, device), max(1, size // (4 * count)))
        scores, margins = (torch.empty(count * step, device=device) for _ in range(2))
        for low in range(0, len(self.references.rows), step):
            columns = slice(low, min(low + step, len(self.references.rows)))
            other = load_block(
                self.references.features,
                self.references.rows[columns],
                metric="euclidean",
                device=device,
                center=center,
            )
            shape = (count, other.rows.shape[0])
            pairs = _PairBlock(
                block,
                other,
                *(buffer[: shape[0] * shape[1]].view(shape) for buffer in (scores, margins)),
            )
            self._compare(part, columns, pairs, 1.0 if center is None else center.scale)

    def _compare(self, part: slice, columns: slice, pairs: _PairBlock, scale: float) -> None:
        pairs.multiply()
        weights = self.references.weights[columns]
        for kind, radii in enumerate(self.references.radii[:, columns]):
            inside, doubtful = pairs.within(radii * scale, axis=1)
            rows, places = self._decide(part, columns, doubtful, radii[doubtful[1]])
            held = _sum(inside)
            if (weights > 1).any():
                repeated = np.flatnonzero(weights > 1)
                more = inside[:, torch.from_numpy(repeated).to(inside.device)].cpu().numpy()
                held += more @ (weights[repeated] - 1)
            np.add.at(held, rows, weights[places])
            self._held_by[kind, part] += held
            occupied = _any(inside)
            occupied[places] = True
            self._occupied[kind, columns] |= occupied
        for radii in self.queries.radii[:, part]:
            inside, doubtful = pairs.within(radii * scale, axis=0)
            _, places = self._decide(part, columns, doubtful, radii[doubtful[0]])
            reached = _any(inside)
            reached[places] = True
            self._reached[columns] |= reached

    def _decide(
        self,
        part: slice,
        columns: slice,
        doubtful: tuple[NDArray[np.int64], NDArray[np.int64]],
        radii: NDArray[np.float64],
    ) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """Those of the doubtful pairs of a block that are within their radius.

        Args:
            part: the queries of the block.
            columns: its references.
            doubtful: int64 [p] each, the pairs, by row and column of the block.
            radii: float64 [p], the radius of each.
        """
        rows = self.queries.rows[part][doubtful[0]]
        others = self.references.rows[columns][doubtful[1]]
        inside = _is_within(self.queries.features, self.references.features, rows, others, radii)
        return doubtful[0][inside], doubtful[1][inside]


@dataclass(frozen=True)
class _PairBlock:
    """All pairs of two blocks of rows, and the memory for their scores.

    Attributes:
        queries, references: the blocks, of b and c rows.
        scores: float32 [b, c]: q·r − ‖q‖²/2 − ‖r‖²/2 = −‖q − r‖²/2.
        margins: float32 [b, c], memory for one comparison.
    """

    queries: Block
    references: Block
    scores: torch.Tensor
    margins: torch.Tensor

    def multiply(self) -> None:
        """Compute the scores."""
        half_queries = self.queries.half_squares[:, None]
        torch.add(half_queries, self.references.half_squares[None], out=self.scores)
        self.scores.neg_()
        add_products(self.scores, self.queries, self.references)

    def within(
        self, radii: NDArray[np.float64], *, axis: int
    ) -> tuple[torch.Tensor, tuple[NDArray[np.int64], NDArray[np.int64]]]:
        """Pairs that are surely within a radius, and those that float32 does not decide.

        ‖q − r‖ ≤ radius exactly when −‖q − r‖²/2 + radius²/2 ≥ 0.

        Args:
            radii: float64 [c] (of the references, axis 1) or [b] (of the queries, axis 0), at the
                scale of the blocks.
            axis: whose radii they are.

        Returns:
            bool [b, c], and row and column of the doubtful pairs, int64 [p] each.
        """
        half = torch.from_numpy(radii**2 / 2).to(torch.float32).to(self.scores.device)
        torch.add(self.scores, half[None] if axis else half[:, None], out=self.margins)
        scale = score_scale(self.queries, self.references, "euclidean")
        tolerance = score_tolerance(int(self.queries.rows.shape[1]))
        doubt = tolerance * (scale + self.queries.half_squares + (half.max() if axis else half))
        surely = self.margins > doubt[:, None]
        excess = self.margins.abs_()
        open_rows = (excess.amin(dim=1) <= doubt).nonzero().flatten()
        rows, columns = (excess[open_rows] <= doubt[open_rows, None]).nonzero(as_tuple=True)
        return surely, (open_rows[rows].cpu().numpy(), columns.cpu().numpy())


def _sum(inside: torch.Tensor) -> NDArray[np.int64]:
    """int64 [b]: True values by row; NumPy is several times faster than torch on the CPU."""
    if inside.device.type == "cpu":
        return inside.numpy().view(np.uint8).sum(axis=1, dtype=np.int32).astype(np.int64)
    return inside.sum(dim=1).cpu().numpy()


def _any(inside: torch.Tensor) -> NDArray[np.bool_]:
    """bool [c]: whether a column holds a True value."""
    if inside.device.type == "cpu":
        return np.logical_or.reduce(inside.numpy(), axis=0)
    return inside.any(dim=0).cpu().numpy()


def _is_within(
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
            read_rows(array, used).cpu().to(torch.float64).numpy()
            for array, used in ((queries, q), (references, r))
        )
        excess, error = _float64_excess(left, right, row_of, column_of, radii)
        inside = excess > error
        waiting = np.flatnonzero(np.abs(excess) <= error)
    distances = pair_distances(
        queries,
        references,
        torch.from_numpy(rows[waiting]),
        torch.from_numpy(others[waiting]),
        metric="euclidean",
    ).numpy()
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
