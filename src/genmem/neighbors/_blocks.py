"""Blocks of rows in float32 on the computing device, their scores, and float64 distances of pairs.

A block is a copy of bounded size, made on demand: a memory-mapped array of a million rows is never
in memory at once, and nothing is written to the caller's array.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import torch
from array_api_compat import is_torch_array

from genmem.errors import InputError

Metric = Literal["cosine", "absolute_cosine", "euclidean"]
"""1 − cos, 1 − |cos|, or ‖a − b‖₂. A row of norm 0 has cosine 0 with every row."""

METRICS: tuple[str, ...] = get_args(Metric)

QUERY_BYTES = 128 * 2**20
"""float32 bytes of the queries of one block."""

SCORE_BYTES = 64 * 2**20
"""float32 bytes of one block of scores, queries × references."""

PAIR_BYTES = 4 * 2**20
"""float64 bytes of each side of the pairs measured together: they fit in the CPU's cache."""

MAXIMUM_QUERY_ROWS = 16_384

NORM_RANGE = (1e-15, 1e15)
"""Smallest and largest norm of a row; beyond them float32 squares overflow or lose digits."""


@dataclass(frozen=True)
class Block:
    """Rows ready for one matrix product.

    Attributes:
        rows: float32 [b, d]; of norm 1 for the cosine metrics.
        half_squares: float32 [b], ‖row‖²/2 for "euclidean", zeros otherwise.
        norms: float32 [b], the norms of `rows`.
        signed: whether a value may be negative, so that |cos| can differ from cos.
    """

    rows: torch.Tensor
    half_squares: torch.Tensor
    norms: torch.Tensor
    signed: bool = True


def device_of(array: Any) -> torch.device:
    """The device of a feature array; NumPy arrays are on the CPU."""
    return array.device if is_torch_array(array) else torch.device("cpu")


def query_rows(dimension: int) -> int:
    """Queries of `dimension` float32 columns per block."""
    return max(1, min(MAXIMUM_QUERY_ROWS, QUERY_BYTES // (4 * dimension)))


def reference_rows(queries: int, dimension: int) -> int:
    """References of `dimension` float32 columns per block, beside `queries` queries."""
    by_scores = SCORE_BYTES // (4 * queries)
    by_copy = SCORE_BYTES // (4 * dimension)
    return max(1, min(by_scores, by_copy))


def load_block(array: Any, start: int, stop: int, *, metric: Metric, device: torch.device) -> Block:
    """Load rows [start, stop) of `array` as a `Block` for `metric` on `device`.

    Raises:
        InputError: a norm is outside `NORM_RANGE`.
    """
    rows = _as_float32(array, start, stop).to(device)
    norms = torch.linalg.vector_norm(rows, dim=1)
    _check_norms(norms, array, start)
    if metric == "euclidean":
        return Block(rows, norms.square() / 2, norms)
    inverse = torch.where(norms > 0, 1 / norms, torch.zeros_like(norms))
    signed = metric == "absolute_cosine" and bool(rows.amin() < 0)
    return Block(rows * inverse[:, None], torch.zeros_like(norms), torch.ones_like(norms), signed)


def _check_norms(norms: torch.Tensor, array: Any, start: int) -> None:
    low, high = NORM_RANGE
    outside = ((norms > 0) & ((norms < low) | (norms > high))) | ~norms.isfinite()
    # A row that is 0 in float32 must be 0 in the array, not only too small for float32.
    for row in (norms == 0).nonzero().flatten().tolist():
        outside[row] = bool((array[start + row] != 0).any())
    if bool(outside.any()):
        row = int(outside.nonzero()[0])
        raise InputError(
            f"row {start + row} has a norm of about {float(norms[row]):.1e}, expected {low:.0e} to "
            f"{high:.0e}. Divide all features of all sets by the same number."
        )


def score_buffer(queries: int, references: int, *, device: torch.device) -> torch.Tensor:
    """Memory for the scores of the largest block; all blocks use it in turn."""
    return torch.empty(queries * references, dtype=torch.float32, device=device)


def scores_of(queries: Block, block: Block, metric: Metric, buffer: torch.Tensor) -> torch.Tensor:
    """Scores, larger for nearer rows: cos, |cos|, or q·r − ‖r‖²/2 (= (‖q‖² − ‖q − r‖²)/2).

    Returns:
        float32 [b, c], in the memory of `buffer`.
    """
    shape = (queries.rows.shape[0], block.rows.shape[0])
    scores = buffer[: shape[0] * shape[1]].view(shape)
    if metric == "euclidean":
        bias = -block.half_squares[None, :]
        return torch.addmm(bias, queries.rows, block.rows.T, out=scores)
    torch.mm(queries.rows, block.rows.T, out=scores)
    if metric == "absolute_cosine" and (queries.signed or block.signed):
        scores.abs_()
    return scores


def pair_distances(
    queries: Any,
    references: Any,
    query_index: torch.Tensor,
    reference_index: torch.Tensor,
    *,
    metric: Metric,
) -> torch.Tensor:
    """Measure the pairs (queries[i], references[j]) in float64, without cancellation.

    Euclidean distances are computed from differences, cosine distances from the unit vectors u, v:
    1 − u·v = ‖u − v‖²/2, which keeps the digits that 1 − u·v would lose.

    Args:
        queries: features [n, d], in their own precision.
        references: features [m, d].
        query_index: int64 [p], rows of `queries`.
        reference_index: int64 [p], rows of `references`.
        metric: which distance.

    Returns:
        float64 [p], on the CPU.
    """
    total = query_index.shape[0]
    out = torch.empty(total, dtype=torch.float64)
    step = max(1, PAIR_BYTES // (8 * int(queries.shape[1])))
    for start in range(0, total, step):
        part = slice(start, min(total, start + step))
        a = _gather_float64(queries, query_index[part])
        b = _gather_float64(references, reference_index[part])
        out[part] = _distance(a, b, metric).cpu()
    return out


def _distance(a: torch.Tensor, b: torch.Tensor, metric: Metric) -> torch.Tensor:
    """float64 [p] of the rows of a and b, which are overwritten."""
    if metric == "euclidean":
        return torch.linalg.vector_norm(a.sub_(b), dim=1)
    norm_a = torch.linalg.vector_norm(a, dim=1)
    norm_b = torch.linalg.vector_norm(b, dim=1)
    undefined = (norm_a == 0) | (norm_b == 0)
    a.div_(norm_a.masked_fill(norm_a == 0, 1.0)[:, None])
    b.div_(norm_b.masked_fill(norm_b == 0, 1.0)[:, None])
    if metric == "absolute_cosine":
        opposite = torch.linalg.vecdot(a, b) < 0
        b[opposite] = -b[opposite]
    distance = torch.linalg.vector_norm(a.sub_(b), dim=1).square_().div_(2)
    return distance.masked_fill_(undefined, 1.0)


def _as_float32(array: Any, start: int, stop: int) -> torch.Tensor:
    """Rows as float32, for reading only: float32 rows are the caller's own memory."""
    if is_torch_array(array):
        return array[start:stop].detach().to(torch.float32)
    rows = array[start:stop]
    if rows.dtype == np.float32 and rows.flags.writeable and rows.flags.c_contiguous:
        return torch.from_numpy(np.asarray(rows))
    return torch.from_numpy(np.array(rows, dtype=np.float32, order="C"))


def _gather_float64(array: Any, index: torch.Tensor) -> torch.Tensor:
    if is_torch_array(array):
        # Apple's MPS has no float64: its pairs are compared on the CPU.
        rows = array.detach().index_select(0, index.to(array.device))
        rows = rows.cpu() if rows.device.type == "mps" else rows
        return rows.to(torch.float64, copy=True)
    return torch.from_numpy(np.array(array[index.cpu().numpy()], dtype=np.float64, order="C"))
