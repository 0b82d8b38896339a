"""Blocks of rows in float32 on the computing device, and their scores.

A block is a copy of bounded size, made on demand: a memory-mapped array of a million rows is never
in memory at once, and nothing is written to the caller's array.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from array_api_compat import is_torch_array
from numpy.typing import NDArray

from genmem.arrays import block_bytes
from genmem.neighbors.distances import NORM_RANGE, Metric, norm_error, unit_rows
from genmem.neighbors.equal_rows import device_of, read_rows

QUERY_BYTES = 128 * 2**20
"""float32 bytes of the queries of one block; both on a CPU, see `block_bytes`."""

SCORE_BYTES = 64 * 2**20
"""float32 bytes of one block of scores, queries × references."""

PRODUCT_COLUMNS = 256
"""Columns of one float32 product: its rounding is bounded by their number; see `float32_bound`."""

MAXIMUM_QUERY_ROWS = 16_384

_TIGHT = 1 / 64
"""Radius of a set around its mean, as a part of the mean's norm, below which it is centred."""

_TINY = 2.0**-126
"""Below it float32 numbers lose digits, or are 0."""

_SAMPLE_ROWS = 256

_LARGEST_CENTRED = 1e18
"""Norm of a centred row whose square float32 still holds."""


@dataclass(frozen=True)
class Block:
    """Rows ready for one matrix product.

    Attributes:
        rows: float32 [b, d]; of norm 1 for the cosine metrics, unless they are centred.
        half_squares: float32 [b], ‖row‖²/2 for Euclidean scores, zeros otherwise.
        norms: float32 [b], the norms of `rows`.
        signed: whether a value may be negative, so that |cos| can differ from cos.
        zeros: bool [b], rows of norm 0 of a cosine metric that are centred; None if there are none.
        errors: float32 [b], bounds on ‖row − its rounding‖ where `rows` are rounded; None where
            they are not.
        noise: bound on how far centred unit rows are from those that are measured, each rounded in
            float64; at their scale.
    """

    rows: torch.Tensor
    half_squares: torch.Tensor
    norms: torch.Tensor
    signed: bool = True
    zeros: torch.Tensor | None = None
    errors: torch.Tensor | None = None
    noise: float = 0.0

    def part(self, rows: slice) -> Block:
        """Some of the rows, in the same memory."""
        zeros, errors = (
            None if values is None else values[rows] for values in (self.zeros, self.errors)
        )
        return replace(
            self,
            rows=self.rows[rows],
            half_squares=self.half_squares[rows],
            norms=self.norms[rows],
            zeros=zeros,
            errors=errors,
        )


@dataclass(frozen=True)
class Center:
    """A point from which a tight set is seen at a scale that float32 resolves.

    The rows of the set are nearly equal (for cosine metrics: have nearly one direction), so that
    every float32 score of theirs would lie within its rounding error. Their differences from the
    center have all their digits: ‖a − b‖ = ‖(a − c) − (b − c)‖, and 1 − u·v = ‖u − v‖²/2.

    Attributes:
        point: float64 [d], the mean of a sample of the set, of norm-1 rows for cosine metrics.
        scale: 1 / radius of that sample.
    """

    point: torch.Tensor
    scale: float


def query_rows(dimension: int, device: torch.device) -> int:
    """Queries of `dimension` float32 columns per block."""
    return max(1, min(MAXIMUM_QUERY_ROWS, block_bytes(device, QUERY_BYTES) // (4 * dimension)))


def reference_rows(queries: int, dimension: int, device: torch.device) -> int:
    """References of `dimension` float32 columns per block, beside `queries` queries."""
    size = block_bytes(device, SCORE_BYTES)
    by_scores = size // (4 * queries)
    by_copy = size // (4 * dimension)
    return max(1, min(by_scores, by_copy))


def tensor_rows(array: Any, rows: slice | NDArray[np.int64]) -> torch.Tensor:
    """Rows in their own precision, for reading only; a slice may be the caller's own memory."""
    part = read_rows(array, rows)
    if is_torch_array(part):
        return part
    # torch warns of memory that may not be written to.
    return torch.from_numpy(part if part.flags.writeable else part.copy())


def load_block(
    array: Any,
    rows: slice | NDArray[np.int64],
    *,
    metric: Metric,
    device: torch.device,
    center: Center | None = None,
) -> Block:
    """Load rows of `array` as a `Block` for `metric` on `device`.

    Args:
        array: features [n, d].
        rows: which rows.
        metric: which distance.
        device: where the block is to be.
        center: subtracted from the rows, for Euclidean scores under any metric; None subtracts
            nothing.

    Raises:
        InputError: a norm is outside `NORM_RANGE`.
    """
    source = tensor_rows(array, rows)
    values = source.to(torch.float32).to(device)
    squares = _squared_norms(values)
    norms = squares.sqrt()
    _check_norms(norms, source, rows)
    if center is not None:
        return _centered(source.to(device), metric, center)
    if metric == "euclidean":
        return Block(values, (squares / 2).float(), norms.float())
    inverse = torch.where(norms > 0, 1 / norms, torch.zeros_like(norms)).float()
    signed = bool(values.amin() < 0)
    ones = torch.ones_like(inverse)
    return Block(values * inverse[:, None], torch.zeros_like(ones), ones, signed)


def _column_parts(dimension: int) -> Iterator[slice]:
    for start in range(0, dimension, PRODUCT_COLUMNS):
        yield slice(start, start + PRODUCT_COLUMNS)


def _squared_norms(values: torch.Tensor) -> torch.Tensor:
    """float64 [b] (float32 on MPS): a float32 sum over long rows of equal values is biased."""
    precision = torch.float32 if values.device.type == "mps" else torch.float64
    squares = torch.zeros(values.shape[0], dtype=precision, device=values.device)
    for columns in _column_parts(values.shape[1]):
        part = values[:, columns].to(precision)
        squares += torch.linalg.vecdot(part, part)
    return squares


def _centered(source: torch.Tensor, metric: Metric, center: Center) -> Block:
    rows, zeros, noise = source.to(torch.float64), None, 0.0
    if metric != "euclidean":
        zeros = (source == 0).all(dim=1)
        rows = unit_rows(rows)
        noise = center.scale * (rows.shape[1] + 8) * 2.0**-53
    rows = (rows - center.point).mul_(center.scale)
    half_squares = torch.linalg.vecdot(rows, rows) / 2
    if zeros is not None:
        # Their distance is 1 to every row: `scores_of` gives such pairs the score that says so.
        rows[zeros], half_squares[zeros] = 0.0, center.scale**2
    norms = (2 * half_squares).sqrt()
    return Block(rows.float(), half_squares.float(), norms.float(), zeros=zeros, noise=noise)


def center_of(
    references: Any, queries: Any, *, metric: Metric, device: torch.device
) -> Center | None:
    """The center of a tight set of references; None for a set that float32 resolves as it is.

    Args:
        references: features [m, d].
        queries: features [n, d].
        metric: which distance.
        device: where the search computes; there is no center where it has no float64 (MPS).
    """
    count = int(references.shape[0])
    if device.type == "mps" or count < _SAMPLE_ROWS:
        return None
    chosen = np.linspace(0, count - 1, _SAMPLE_ROWS).astype(np.int64)
    rows = tensor_rows(references, chosen).to(device).to(torch.float64)
    if metric != "euclidean":
        rows = unit_rows(rows[rows.any(dim=1)])
    if rows.shape[0] < _SAMPLE_ROWS // 2:
        return None
    point = rows.mean(dim=0)
    size = float(torch.linalg.vector_norm(point))
    radius = float(torch.linalg.vector_norm(rows - point, dim=1).max())
    if radius > _TIGHT * size:
        return None
    if metric == "absolute_cosine" and not (_is_unsigned(references) and _is_unsigned(queries)):
        return None
    scale = 1 / radius if radius > 0 else 1.0
    largest = 1.0
    if metric == "euclidean":
        largest = max(_largest_norm(references), _largest_norm(queries))
    return Center(point, scale) if (largest + size) * scale < _LARGEST_CENTRED else None


def _is_unsigned(array: Any) -> bool:
    return not any(bool((rows < 0).any()) for rows in _parts(array))


def _largest_norm(array: Any) -> float:
    return max(float(torch.linalg.vector_norm(rows, dim=1).max()) for rows in _parts(array))


def _parts(array: Any) -> Iterator[torch.Tensor]:
    step = max(1, block_bytes(device_of(array), SCORE_BYTES) // (8 * int(array.shape[1])))
    for start in range(0, int(array.shape[0]), step):
        yield tensor_rows(array, slice(start, start + step))


def _check_norms(
    norms: torch.Tensor, source: torch.Tensor, rows: slice | NDArray[np.int64]
) -> None:
    low, high = NORM_RANGE
    outside = ((norms > 0) & ((norms < low) | (norms > high))) | ~norms.isfinite()
    # A row that is 0 in float32 must be 0 in the array, not only too small for float32.
    zeros = norms == 0
    if not bool((zeros | outside).any()):
        return
    there = zeros.to(source.device)
    outside[zeros] = (source[there] != 0).any(dim=1).to(norms.device)
    if bool(outside.any()):
        row = int(outside.nonzero()[0])
        number = rows.start + row if isinstance(rows, slice) else int(rows[row])
        raise norm_error(number, float(norms[row]))


def score_buffer(queries: int, references: int, *, device: torch.device) -> torch.Tensor:
    """Memory for the scores of the largest block; all blocks use it in turn."""
    return torch.empty(queries * references, dtype=torch.float32, device=device)


def rounded(block: Block) -> Block:
    """The block with rows that are rounded to bfloat16, whose products some CPUs do far faster."""
    rows = block.rows.to(torch.bfloat16)
    # In float64: squares of the smallest rows' differences are no normal float32 numbers.
    errors = _squared_norms(block.rows - rows).sqrt().float() * (1 + 2.0**-20)
    return replace(block, rows=rows, errors=errors)


def query_directions(block: Block) -> Block:
    """Queries of `cosine_scores`, of a block for Euclidean scores."""
    # Products of the smallest rows can be lost, so that a score of 0 is no distance of exactly 1.
    smallest = block.rows.shape[1] ** 0.5 * 2.0**-13
    lossy = (block.norms > 0) & (block.norms < smallest)
    signed = bool((block.rows < 0).any() | lossy.any())
    return replace(block, half_squares=torch.zeros_like(block.norms), signed=signed)


def reference_directions(block: Block) -> Block:
    """References of `cosine_scores`, of a block for Euclidean scores.

    The errors are relative to the norms. They hold what float32 loses of products of the smallest
    rows, too.
    """
    inverse = inverse_norms(block)
    errors = inverse * (block.rows.shape[1] * _TINY / NORM_RANGE[0])
    if block.errors is not None:
        errors += block.errors * inverse
    return replace(query_directions(block), norms=torch.ones_like(inverse), errors=errors)


def cosine_scores(
    products: torch.Tensor, inverse_norms: torch.Tensor, metric: Metric, buffer: torch.Tensor
) -> torch.Tensor:
    """‖q‖·cos or ‖q‖·|cos| from products q·r.

    Args:
        products: float32 [b, c].
        inverse_norms: float32 [c], 1/‖r‖; 0 for rows of norm 0.
        metric: "cosine" or "absolute_cosine".
        buffer: memory for the result.

    Returns:
        float32 [b, c], in the memory of `buffer`.
    """
    out = buffer[: products.numel()].view(products.shape)
    scores = torch.mul(products, inverse_norms, out=out)
    return scores.abs_() if metric == "absolute_cosine" else scores


def euclidean_scores(products: torch.Tensor, block: Block, buffer: torch.Tensor) -> torch.Tensor:
    """q·r − ‖r‖²/2 from products q·r, float32 [b, c], in the memory of `buffer`."""
    out = buffer[: products.numel()].view(products.shape)
    return torch.sub(products, block.half_squares, out=out)


def inverse_norms(block: Block) -> torch.Tensor:
    """float32 [b]: 1 / norm; 0 for rows of norm 0."""
    norms = block.norms
    return torch.where(norms > 0, 1 / norms, torch.zeros_like(norms))


def products_of(
    queries: Block, block: Block, buffer: torch.Tensor, short: torch.Tensor | None = None
) -> torch.Tensor:
    """The products q·r, float32 [b, c], in the memory of `buffer`.

    Args:
        queries: b rows.
        block: c rows.
        buffer: memory for the result.
        short: bfloat16 memory for the products of blocks that are `rounded`.
    """
    shape = (queries.rows.shape[0], block.rows.shape[0])
    products = buffer[: shape[0] * shape[1]].view(shape)
    if short is None:
        add_products(products.zero_(), queries, block)
        return products
    rounded_products = short[: products.numel()].view(shape)
    torch.mm(queries.rows, block.rows.T, out=rounded_products)
    return products.copy_(rounded_products)


def scores_of(
    queries: Block,
    block: Block,
    metric: Metric,
    buffer: torch.Tensor,
    center: Center | None = None,
    short: torch.Tensor | None = None,
) -> torch.Tensor:
    """Scores, larger for nearer rows: cos, |cos|, or q·r − ‖r‖²/2 (= (‖q‖² − ‖q − r‖²)/2).

    Centred rows have Euclidean scores under every metric.

    Returns:
        float32 [b, c], in the memory of `buffer`.
    """
    shape = (queries.rows.shape[0], block.rows.shape[0])
    scores = buffer[: shape[0] * shape[1]].view(shape)
    if short is not None:
        products_of(queries, block, buffer, short)
        if metric == "euclidean":
            scores -= block.half_squares
    elif metric == "euclidean" or center is not None:
        scores.copy_(-block.half_squares.expand(shape))
        add_products(scores, queries, block)
    else:
        add_products(scores.zero_(), queries, block)
    if center is not None:
        if block.zeros is not None:
            scores[:, block.zeros] = (queries.half_squares - center.scale**2)[:, None]
        if queries.zeros is not None:
            scores[queries.zeros] = 0.0
    elif metric == "absolute_cosine" and (queries.signed or block.signed):
        scores.abs_()
    return scores


def add_products(scores: torch.Tensor, queries: Block, block: Block) -> None:
    """Add q·r to the scores, float32 [b, c], a part of the columns at a time."""
    for columns in _column_parts(queries.rows.shape[1]):
        scores.addmm_(queries.rows[:, columns], block.rows[:, columns].T)
