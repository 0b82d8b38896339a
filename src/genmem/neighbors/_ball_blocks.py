"""Balls of large sets, in torch, by blocks: float32 scores decide what they can."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from genmem.arrays import block_bytes
from genmem.neighbors._ball_pairs import BallOverlap, Balls, are_within
from genmem.neighbors._blocks import (
    Block,
    Center,
    add_products,
    center_of,
    load_block,
    query_rows,
    reference_rows,
)
from genmem.neighbors.equal_rows import device_of
from genmem.neighbors.float32_bound import score_scale, score_tolerance
from genmem.torch_settings import ieee_float32

_SCORE_BYTES = 16 * 2**20
"""float32 bytes of the scores that are compared at once; several passes read them."""


@ieee_float32()
def overlap_blocks(queries: Balls, references: Balls) -> BallOverlap:
    """`ball_overlap` of sets of any size.

    Args:
        queries: the different balls of one set.
        references: those of the other.
    """
    overlap = _Overlap(queries, references)
    device = device_of(queries.features, references.features)
    center = center_of(references.features, queries.features, metric="euclidean", device=device)
    step = query_rows(int(queries.features.shape[1]), device)
    for start in range(0, len(queries.rows), step):
        part = slice(start, min(start + step, len(queries.rows)))
        rows = queries.rows[part]
        block = load_block(queries.features, rows, metric="euclidean", device=device, center=center)
        overlap.add(part, block, center)
    return overlap.result()


class _Overlap:
    """The overlap of two sets of balls, added up block by block."""

    def __init__(self, queries: Balls, references: Balls) -> None:
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
        inside = are_within(self.queries.features, self.references.features, rows, others, radii)
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
