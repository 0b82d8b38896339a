"""Softmax-weighted means of the training rows: streamed, with the digits that matter in float64.

For a query q and σ (both in the unit of the rows) row i has the logit

    lᵢ = −‖q − rᵢ‖²/2σ² + ‖q‖²/2σ² = (q·rᵢ − ‖rᵢ‖²/2)/σ²

and the mean is Σ exp(lᵢ − m)·rᵢ / Σ exp(lᵢ − m), with m the largest logit so far, and both sums
scaled down whenever a larger one turns up. A product in float32 leaves an error in lᵢ that grows
as 1/σ². Hence

- `dense_mean`: both products in float32; the weights of rows with more than `HEAVY` of all weight
  (at most 1/HEAVY rows) are computed again in float64, the errors of the others average out;
- `near_mean`, for small σ: the product only selects the rows that can have weight at all, mostly
  one; their weights are computed in float64 from differences. Queries with many such rows need
  `dense_mean` with logits in float64.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from array_api_compat import is_torch_array
from torch.nn import functional

from genmem.arrays import as_array, block_bytes
from genmem.errors import InputError
from genmem.neighbors.float32_bound import PRODUCT_COLUMNS

BLOCK_BYTES = 32 * 2**20
"""float32 bytes of one block of training rows (on a CPU: see `block_bytes`), or of queries."""

Part = slice | torch.Tensor
"""Rows: a slice, or int64 positions."""


class TrainingRows:
    """Training images y as rows r = (y − shift)/scale, less their mean r̄.

    For 8-bit images r are the pixel values 0 … 255 and r̄ is rounded to 1/64, so that a centred row
    is exact in float32. Distances between images are `scale` times those between rows.

    Attributes:
        shape: of one image.
        scale, shift: y = scale·r + shift.
        mean: float64 [d], r̄.
        half_squares: float64 [n], ‖r − r̄‖²/2.
        radius: the largest ‖r − r̄‖.
    """

    def __init__(self, images: Any, *, device: torch.device) -> None:
        """Take images, uint8 or floating point in [−1, 1], [n, ...].

        Raises:
            InputError: another type or shape, no images, or pixels that are not finite.
        """
        images = as_array(images, role="training images")
        _check(images)
        self.device = device
        self._images = images
        if is_torch_array(images) or (device.type == "cuda" and _fits(images, device)):
            self._images = torch.as_tensor(images).to(device)
        self.shape = tuple(int(side) for side in images.shape[1:])
        whole = "uint8" in str(images.dtype)
        self.scale, self.shift = (1 / 127.5, -1.0) if whole else (1.0, 0.0)
        dimension = int(np.prod(self.shape))
        self._block_rows = max(1, block_bytes(device, BLOCK_BYTES) // (4 * dimension))
        total = torch.zeros(dimension, dtype=torch.float64, device=device)
        self.mean = torch.zeros_like(total)
        for part in self.blocks():
            total += self.block(part, torch.float64).sum(dim=0)
        # 14 bits: differences from 8-bit values are exact in float32.
        self.mean = (total / len(self) * 64).round() / 64
        self.half_squares = torch.cat(
            [
                torch.linalg.vector_norm(self.block(part, torch.float64), dim=1).square() / 2
                for part in self.blocks()
            ]
        )
        self.radius = float((2 * self.half_squares.max()).sqrt())
        if not np.isfinite(self.radius):
            raise InputError("training images: expected finite pixels, got NaN or infinity.")

    def __len__(self) -> int:
        return int(self._images.shape[0])

    def blocks(self, positions: torch.Tensor | None = None) -> Iterator[Part]:
        """Blocks that cover all rows, or those at `positions`."""
        count = len(self) if positions is None else len(positions)
        for start in range(0, count, self._block_rows):
            stop = min(count, start + self._block_rows)
            yield slice(start, stop) if positions is None else positions[start:stop]

    def row_buffer(self, dtype: torch.dtype = torch.float32) -> torch.Tensor:
        """Memory for one block, to be reused: allocating pages costs as much as the work."""
        return torch.empty(min(self._block_rows, len(self)), len(self.mean), dtype=dtype).to(
            self.device
        )

    def block(
        self, part: Part, dtype: torch.dtype, row_buffer: torch.Tensor | None = None
    ) -> torch.Tensor:
        """Centred rows [m, d] on the device: a copy, in `row_buffer` if that is given."""
        if is_torch_array(self._images):
            raw = self._images[part if isinstance(part, slice) else part.to(self.device)]
        else:
            rows = self._images[part if isinstance(part, slice) else part.cpu().numpy()]
            raw = torch.from_numpy(np.array(rows)).to(self.device)
        rows = raw.reshape(len(raw), -1)
        out = None if row_buffer is None else row_buffer[: len(rows)]
        if out is None:
            out = torch.empty(rows.shape, dtype=dtype, device=self.device)
        return out.copy_(rows).sub_(self.mean.to(dtype))

    def to_rows(self, images: torch.Tensor) -> torch.Tensor:
        """Images [b, ...] as centred rows, float64 [b, d]."""
        rows = images.to(self.device).to(torch.float64).flatten(start_dim=1)
        return (rows - self.shift) / self.scale - self.mean

    def to_images(self, rows: torch.Tensor) -> torch.Tensor:
        """Centred rows [b, d] as images [b, ...], float64."""
        images = (rows.double() + self.mean) * self.scale + self.shift
        return images.reshape(len(rows), *self.shape)


def _check(images: Any) -> None:
    if not is_torch_array(images) and not isinstance(images, np.ndarray):
        raise InputError(
            "training images: expected a NumPy or torch array, got "
            f"{type(images).__name__}; load_training_images reads files."
        )
    floating = any(kind in str(images.dtype) for kind in ("float16", "float32", "float64"))
    if images.ndim < 2 or 0 in images.shape or not (floating or "uint8" in str(images.dtype)):
        raise InputError(
            "training images: expected uint8, or floating point in [−1, 1], of shape [n, C, H, W], "
            f"got {images.dtype} of shape {list(images.shape)}."
        )


def _fits(images: Any, device: torch.device) -> bool:
    return images.nbytes <= torch.cuda.mem_get_info(device)[0] // 2


HEAVY = 0.01
"""Share of the weight from which `dense_mean` computes a row's weight again."""

NEGLIGIBLE = 1e-7
"""Largest total weight of the rows that `near_mean` leaves out."""

CROWDED = 128
"""Number of rows that can have weight, above which `near_mean` gives up a query."""

LEAST = -60.0
"""Logits this far below the largest have no weight (1e-26)."""

PENDING = 1_000_000
"""Candidates of `near_mean` that are collected before they are pruned."""

PAIR_BYTES = 8 * 2**20
"""float64 bytes of each side of the pairs that are measured together."""


@dataclass
class Queries:
    """Queries in the unit of the rows.

    Attributes:
        rows: float64 [b, d], centred as the training rows are.
        sigma: float64 [b].
    """

    rows: torch.Tensor
    sigma: torch.Tensor

    def __getitem__(self, selected: torch.Tensor) -> Queries:
        return Queries(self.rows[selected], self.sigma[selected])


def dense_mean(
    train: TrainingRows,
    queries: Queries,
    *,
    subset: torch.Tensor | None = None,
    in_float64: bool = False,
    reweigh: bool = True,
) -> torch.Tensor:
    """Weighted means, [b, d].

    Args:
        train: the training rows.
        queries: rows and σ.
        subset: int64 positions of the rows to average; None: all.
        in_float64: logits in float64.
        reweigh: compute the weights of heavy rows again; not needed with `in_float64`.
    """
    dtype = torch.float64 if in_float64 else torch.float32
    rows = queries.rows.to(dtype)
    per_unit = queries.sigma.pow(-2).to(dtype)[:, None]
    largest = torch.full_like(per_unit, -torch.inf)
    weight = torch.zeros(len(rows), 1, dtype=torch.float64, device=rows.device)
    total = torch.zeros(rows.shape, dtype=torch.float32, device=rows.device)
    heavy: list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]] = []
    buffer = torch.empty(0, dtype=dtype, device=rows.device)
    row_buffer = train.row_buffer()
    for part in train.blocks(subset):
        block = train.block(part, torch.float32, row_buffer)
        exact = train.block(part, dtype) if in_float64 else block
        bias = -train.half_squares[part].to(dtype)
        if buffer.numel() < len(rows) * len(block):
            buffer = torch.empty(len(rows) * len(block), dtype=dtype, device=rows.device)
        weights = buffer[: len(rows) * len(block)].view(len(rows), len(block))
        _score(rows, exact, bias, out=weights)
        weights.mul_(per_unit)
        highest = weights.amax(dim=1, keepdim=True)
        larger = torch.maximum(largest, highest)
        _exp_(weights.sub_(larger))
        shrink = _exp_(largest - larger)
        largest = larger
        weight.mul_(shrink).add_(weights.sum(dim=1, keepdim=True))
        total.mul_(shrink)
        total.addmm_(weights.float() if in_float64 else weights, block)
        if reweigh and not in_float64:
            positions = _positions(part, rows.device)
            heavy.append(_heavy(weights, highest, weight, larger, positions))
    if heavy:
        total, weight = _reweigh_heavy(train, queries, total, weight, largest, heavy)
    return total / weight


def _score(
    rows: torch.Tensor, block: torch.Tensor, bias: torch.Tensor, *, out: torch.Tensor
) -> None:
    """q·r plus the bias of r, [b, m], summed in parts of columns, as `float32_bound` supposes."""
    out.copy_(bias.expand(out.shape))
    for start in range(0, rows.shape[1], PRODUCT_COLUMNS):
        columns = slice(start, start + PRODUCT_COLUMNS)
        out.addmm_(rows[:, columns], block[:, columns].T)


def _exp_(logits: torch.Tensor) -> torch.Tensor:
    """exp in place, 0 below e^`LEAST`: numbers too small to be normal slow products tenfold."""
    return functional.threshold(logits, LEAST, -torch.inf, inplace=True).exp_()


def _positions(part: slice | torch.Tensor, device: torch.device) -> torch.Tensor:
    if isinstance(part, slice):
        return torch.arange(part.start, part.stop, device=device)
    return part.to(device)


def _heavy(
    weights: torch.Tensor,
    highest: torch.Tensor,
    weight: torch.Tensor,
    largest: torch.Tensor,
    positions: torch.Tensor,
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Queries, rows and float32 logits that may carry more than `HEAVY` of the weight."""
    least = HEAVY * weight.to(weights.dtype)
    selected = ((highest - largest).exp() >= 0.99 * least).flatten().nonzero().flatten()
    chosen = weights[selected]
    which, columns = (chosen >= least[selected]).nonzero(as_tuple=True)
    logits = chosen[which, columns].double().log_() + largest.flatten()[selected[which]]
    return selected[which], positions[columns], logits


def _reweigh_heavy(
    train: TrainingRows,
    queries: Queries,
    total: torch.Tensor,
    weight: torch.Tensor,
    largest: torch.Tensor,
    heavy: list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]],
) -> tuple[torch.Tensor, torch.Tensor]:
    """Both sums with the weights of heavy rows replaced by those in float64."""
    which, positions, logits = (torch.cat(parts) for parts in zip(*heavy, strict=True))
    peak = largest.flatten().double()[which]
    before = (logits - peak).exp_()
    still = (before >= HEAVY * weight.flatten()[which]).nonzero().flatten()
    which, positions, before, peak = which[still], positions[still], before[still], peak[still]
    total, weight = total.double(), weight.clone()
    squares = queries.rows.square().sum(dim=1) / 2
    for part, rows, halves in _pairs(train, queries, which, positions):
        sigma = queries.sigma[which[part]]
        exact = (squares[which[part]] - halves) / sigma.square()
        change = (exact - peak[part]).exp_() - before[part]
        weight.index_add_(0, which[part], change[:, None])
        total.index_add_(0, which[part], rows.mul_(change[:, None]))
    return total, weight


def near_mean(
    train: TrainingRows,
    queries: Queries,
    *,
    tolerance: torch.Tensor,
    subset: torch.Tensor | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Weighted means from the few rows that can carry weight.

    Args:
        train: the training rows.
        queries: rows and σ.
        tolerance: float64 [b], bound on the float32 error of q·r − ‖r‖²/2, where q·r is a sum of
            products of `PRODUCT_COLUMNS` columns.
        subset: int64 positions of the rows to average; None: all.

    Returns:
        float64 [b, d]; and bool [b], the queries with too many such rows, which have no mean.
    """
    count = len(train) if subset is None else len(subset)
    margin = 2 * tolerance + math.log(count / NEGLIGIBLE) * queries.sigma.square()
    candidates = _Candidates(margin)
    rows = queries.rows.float()
    buffer = torch.empty(0, device=rows.device)
    row_buffer = train.row_buffer()
    for part in train.blocks(subset):
        block = train.block(part, torch.float32, row_buffer)
        bias = -train.half_squares[part].float()
        if buffer.numel() < len(rows) * len(block):
            buffer = torch.empty(len(rows) * len(block), device=rows.device)
        scores = buffer[: len(rows) * len(block)].view(len(rows), len(block))
        _score(rows, block, bias, out=scores)
        candidates.add(scores, _positions(part, rows.device))
    which, positions = candidates.chosen()
    means = torch.zeros_like(queries.rows)
    halves = torch.empty(len(which), dtype=torch.float64, device=rows.device)
    for part, _, measured in _pairs(train, queries, which, positions):
        halves[part] = measured
    logits = -halves / queries.sigma[which].square()
    largest = torch.full_like(queries.sigma, -torch.inf)
    largest.scatter_reduce_(0, which, logits, "amax")
    weights = (logits - largest[which]).exp_()
    weight = torch.zeros_like(queries.sigma).index_add_(0, which, weights)
    weights /= weight[which]
    for part, block, _ in _pairs(train, queries, which, positions):
        means.index_add_(0, which[part], block.mul_(weights[part, None]))
    return means, candidates.crowded


class _Candidates:
    """Pairs (query, row) whose score lies within the margin of the query's best.

    Attributes:
        crowded: bool [b], queries with more than `CROWDED` pairs, which are given up.
    """

    def __init__(self, margin: torch.Tensor) -> None:
        self._margin = margin.float()
        self._best = torch.full_like(self._margin, -torch.inf)
        self.crowded = torch.zeros(len(margin), dtype=torch.bool, device=margin.device)
        self._parts: list[tuple[torch.Tensor, torch.Tensor, torch.Tensor]] = []
        self._count = 0

    def add(self, scores: torch.Tensor, positions: torch.Tensor) -> None:
        """Add a block of scores, [b, m]."""
        best = scores.amax(dim=1)
        self._best = torch.maximum(self._best, best)
        least = self._best - self._margin
        selected = ((best >= least) & ~self.crowded).nonzero().flatten()
        chosen = scores[selected]
        which, columns = (chosen >= least[selected, None]).nonzero(as_tuple=True)
        self._parts.append((selected[which], positions[columns], chosen[which, columns]))
        self._count += len(which)
        if self._count > PENDING:
            self._prune()

    def _prune(self) -> None:
        which, positions, scores = (torch.cat(parts) for parts in zip(*self._parts, strict=True))
        keep = scores >= (self._best - self._margin)[which]
        counts = torch.zeros_like(self._best, dtype=torch.int64).index_add_(0, which, keep.long())
        self.crowded |= counts > CROWDED
        left = (keep & ~self.crowded[which]).nonzero().flatten()
        self._parts = [(which[left], positions[left], scores[left])]
        self._count = len(left)

    def chosen(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Queries and rows of the remaining pairs."""
        self._prune()
        which, positions, _ = self._parts[0]
        return which, positions


def _pairs(train: TrainingRows, queries: Queries, which: torch.Tensor, positions: torch.Tensor):
    """For some pairs at a time: which, their rows float64 [p, d], and ‖q − r‖²/2 [p]."""
    size = block_bytes(train.device, PAIR_BYTES)
    step = max(1, size // (8 * queries.rows.shape[1]))
    for start in range(0, len(which), step):
        part = slice(start, min(len(which), start + step))
        rows = train.block(positions[part], torch.float64)
        distance = torch.linalg.vector_norm(queries.rows[which[part]] - rows, dim=1)
        yield part, rows, distance.square() / 2
