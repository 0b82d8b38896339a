"""The distances: what each is, and the distances of pairs in float64, which decide a search."""

from __future__ import annotations

from typing import Any, Literal, get_args

import torch

from genmem.arrays import block_bytes, float64_device
from genmem.neighbors.equal_rows import device_of, read_rows

Metric = Literal["cosine", "absolute_cosine", "euclidean"]
"""1 − cos, 1 − |cos|, or ‖a − b‖₂. A row of norm 0 has cosine 0 with every row, and orthogonal rows
are at exactly 1."""

METRICS: tuple[str, ...] = get_args(Metric)

PAIR_BYTES = 2**20
"""float64 bytes of each side of the pairs measured together; on a CPU, see `block_bytes`."""

_ORTHOGONAL = 2.0**-100
"""|cos| below it is 0: float32 products of rows without a common non-zero column are exactly 0."""


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
    device = float64_device(device_of(queries, references))
    step = max(1, block_bytes(device, PAIR_BYTES) // (8 * int(queries.shape[1])))
    for start in range(0, total, step):
        part = slice(start, min(total, start + step))
        a = _gather_float64(queries, query_index[part], device)
        b = _gather_float64(references, reference_index[part], device)
        out[part] = _distance(a, b, metric).cpu()
    return out


def unit_rows(rows: torch.Tensor) -> torch.Tensor:
    """float64 [b, d]: the rows divided by their norms; rows of norm 0 as they are."""
    rows = rows.to(torch.float64)
    norms = torch.linalg.vector_norm(rows, dim=1)
    return rows / norms.masked_fill(norms == 0, 1.0)[:, None]


def _distance(a: torch.Tensor, b: torch.Tensor, metric: Metric) -> torch.Tensor:
    """float64 [p] of the rows of a and b, which may be overwritten."""
    if metric == "euclidean":
        return torch.linalg.vector_norm(a.sub_(b), dim=1)
    a, b = unit_rows(a), unit_rows(b)
    cosine = torch.linalg.vecdot(a, b)
    if metric == "absolute_cosine":
        b[cosine < 0] = -b[cosine < 0]
    distance = torch.linalg.vector_norm(a.sub_(b), dim=1).square_().div_(2)
    return distance.masked_fill_(cosine.abs() < _ORTHOGONAL, 1.0)


def _gather_float64(array: Any, index: torch.Tensor, device: torch.device) -> torch.Tensor:
    return read_rows(array, index.cpu().numpy()).to(device).to(torch.float64, copy=True)
