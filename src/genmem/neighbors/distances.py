"""The distances: what each is, and the distances of pairs in float64, which decide a search."""

from __future__ import annotations

from typing import Any, Literal, get_args

import numpy as np
from array_api_compat import array_namespace, is_torch_array
from numpy.typing import NDArray

from genmem.arrays import block_bytes, float64_device, to_numpy
from genmem.errors import InputError
from genmem.neighbors.equal_rows import device_of, is_on_cpu, read_rows

Metric = Literal["cosine", "absolute_cosine", "euclidean"]
"""1 − cos, 1 − |cos|, or ‖a − b‖₂. A row of norm 0 has cosine 0 with every row, and orthogonal rows
are at exactly 1."""

METRICS: tuple[str, ...] = get_args(Metric)

PAIR_BYTES = 2**18
"""float64 bytes of each side of the pairs measured together, which fit in a CPU's cache."""

NORM_RANGE = (1e-15, 1e15)
"""Smallest and largest norm of a row; beyond them float32 squares overflow or lose digits."""

_EINSUM_BUFFER = 8_192

_ORTHOGONAL = 2.0**-100
"""|cos| below it is 0: float32 products of rows without a common non-zero column are exactly 0."""


def pair_distances(
    queries: Any,
    references: Any,
    query_index: NDArray[np.int64],
    reference_index: NDArray[np.int64],
    *,
    metric: Metric,
) -> NDArray[np.float64]:
    """Measure the pairs (queries[i], references[j]) in float64, without cancellation.

    Euclidean distances are computed from differences, cosine distances from the unit vectors u, v:
    1 − u·v = ‖u − v‖²/2, which keeps the digits that 1 − u·v would lose. A pair has the same bits
    whichever others are measured with it: see `_dots`.

    Args:
        queries: features [n, d], in their own precision.
        references: features [m, d].
        query_index: int64 [p], rows of `queries`.
        reference_index: int64 [p], rows of `references`.
        metric: which distance.

    Returns:
        float64 [p].
    """
    total = len(query_index)
    out = np.empty(total)
    device, size = None, PAIR_BYTES
    if not is_on_cpu(queries, references):
        device = float64_device(device_of(queries, references))
        size = block_bytes(device, PAIR_BYTES)
    step = max(1, size // (8 * int(queries.shape[1])))
    for start in range(0, total, step):
        part = slice(start, min(total, start + step))
        a = _gather_float64(queries, query_index[part], device)
        b = _gather_float64(references, reference_index[part], device)
        out[part] = to_numpy(_distance(a, b, metric))
    return out


def unit_rows(rows: Any) -> Any:
    """The rows at norm 1, float64 [b, d]; rows of norm 0 as they are.

    Args:
        rows: float64 [b, d], NumPy or torch.
    """
    return rows * _inverse_norms(rows)


def _inverse_norms(rows: Any) -> Any:
    """1 / norm of each row, [b, 1]; 1 for rows of norm 0."""
    norms = array_namespace(rows).sqrt(_dots(rows, rows))
    norms[norms == 0] = 1.0
    return (1 / norms)[:, None]


def norm_error(row: int, norm: float) -> InputError:
    """The error for a row whose norm is outside `NORM_RANGE`."""
    low, high = NORM_RANGE
    return InputError(
        f"row {row} has a norm of about {norm:.1e}, expected {low:.0e} to {high:.0e}. Divide all "
        "features of all sets by the same number."
    )


def _distance(a: Any, b: Any, metric: Metric) -> Any:
    """float64 [p] of the rows of a and b, which may be overwritten."""
    if metric == "euclidean":
        a -= b
        return array_namespace(a).sqrt(_dots(a, a))
    a *= _inverse_norms(a)
    b *= _inverse_norms(b)
    cosine = _dots(a, b)
    if metric == "absolute_cosine":
        opposite = cosine < 0
        b[opposite] = -b[opposite]
    a -= b
    distance = _dots(a, a) / 2
    distance[abs(cosine) < _ORTHOGONAL] = 1.0
    return distance


def _dots(a: Any, b: Any) -> Any:
    """The products of row i of a with row i of b, [p].

    In NumPy, each has the same bits whatever rows are beside it and however many threads there are:
    `einsum` adds the values of a row in one order, as long as it is not longer than its buffer.
    """
    if isinstance(a, np.ndarray) and a.shape[1] <= _EINSUM_BUFFER:
        return np.einsum("ij,ij->i", a, b)
    return (a * b).sum(1)


def _gather_float64(array: Any, index: NDArray[np.int64], device: Any) -> Any:
    """Rows as float64 that may be overwritten: NumPy, or a tensor where there is a device."""
    rows = read_rows(array, index)
    if device is None:
        return np.array(to_numpy(rows), dtype=np.float64, order="C")
    import torch

    tensor = rows if is_torch_array(rows) else torch.from_numpy(np.array(rows))
    return tensor.to(device).to(torch.float64, copy=True)
