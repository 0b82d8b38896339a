"""Rows that are equal: sets of black or repeated images hold thousands of them.

Equal rows have equal distances, so the search and the ball counts read one row of each group. Also
how rows are read, and on which device.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from array_api_compat import is_torch_array
from numpy.typing import NDArray

_BYTES_PER_PART = 4 * 2**20
"""Bytes of rows that are read at once; they fit in the CPU's cache."""

_COLUMNS = 16
_ROWS_PER_PART = 16_384
"""Columns that are compared first, and rows of them that are read at once."""

_TORCH_DTYPES = {np.dtype(kind): kind for kind in (np.float16, np.float32, np.float64)}
"""What torch can hold; other precisions and byte orders become float64."""

_WORDS = {2: torch.int16, 4: torch.int32, 8: torch.int32}


def group_equal_rows(array: Any) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Group the rows of an array that are equal, value for value.

    Args:
        array: float [n, d], NumPy (memory-mapped too) or torch.

    Returns:
        first: int64 [u], ascending, the first row of each group.
        groups: int64 [n], the group of each row: `first[groups[i]]` is the first row equal to i.
    """
    count, dimension = (int(length) for length in array.shape)
    step = max(1, _BYTES_PER_PART // (8 * dimension))
    # A few columns tell most rows apart; only rows that agree in them are read whole.
    columns = np.linspace(0, dimension - 1, min(dimension, _COLUMNS)).astype(np.int64)
    keys = np.empty(count, dtype=np.int64)
    for start in range(0, count, _ROWS_PER_PART):
        part = slice(start, start + _ROWS_PER_PART)
        keys[part] = _fingerprints(read_rows(array[part][:, columns], slice(None)))
    _, inverse, sizes = np.unique(keys, return_inverse=True, return_counts=True)
    alike = np.flatnonzero(sizes[inverse] > 1)
    prints = np.empty(len(alike), dtype=np.int64)
    for start in range(0, len(alike), step):
        part = slice(start, start + step)
        prints[part] = _fingerprints(read_rows(array, alike[part]))
    _, first, groups = np.unique(prints, return_index=True, return_inverse=True)
    source = np.arange(count)
    source[alike] = alike[first[groups]]
    repeats = np.flatnonzero(source != np.arange(count))
    for start in range(0, len(repeats), step):
        rows = repeats[start : start + step]
        differs = (read_rows(array, rows) != read_rows(array, source[rows])).any(dim=1)
        source[rows[differs.cpu().numpy()]] = rows[differs.cpu().numpy()]
    first, groups = np.unique(source, return_inverse=True)
    return first, groups


def device_of(*arrays: Any) -> torch.device:
    """Where to compute: on the first device but the CPU that an array is on, else on the CPU."""
    devices = [array.device for array in arrays if is_torch_array(array)]
    return next((device for device in devices if device.type != "cpu"), torch.device("cpu"))


def earlier_copies(groups: NDArray[np.int64]) -> NDArray[np.int64]:
    """int64 [n]: for each row, the number of rows before it that are of its group."""
    order = np.argsort(groups, kind="stable")
    ordered = groups[order]
    copies = np.empty(len(groups), dtype=np.int64)
    copies[order] = np.arange(len(groups)) - np.searchsorted(ordered, ordered)
    return copies


def read_rows(array: Any, rows: slice | NDArray[np.int64]) -> torch.Tensor:
    """Rows in their own precision, for reading only; a slice may be the caller's own memory."""
    if is_torch_array(array):
        index = rows if isinstance(rows, slice) else torch.from_numpy(rows).to(array.device)
        return array[index].detach()
    part = np.asarray(array[rows])
    if part.dtype not in _TORCH_DTYPES or not (part.flags.writeable and part.flags.c_contiguous):
        part = np.array(part, dtype=_TORCH_DTYPES.get(part.dtype, np.float64), order="C")
    return torch.from_numpy(part)


def _fingerprints(rows: torch.Tensor) -> NDArray[np.int64]:
    """int64 [b]: sums of the rows' words times fixed odd numbers, modulo 2⁶⁴.

    Integers, so that equal rows have equal sums wherever they are computed.
    """
    flat = (rows + 0.0).reshape(-1)  # −0.0 becomes 0.0
    words = flat.view(_WORDS[rows.element_size()]).view(len(rows), -1)
    rng = np.random.default_rng(0)
    factors = rng.integers(-(2**62), 2**62, size=words.shape[1], dtype=np.int64) * 2 + 1
    if words.device.type == "cpu":
        return np.einsum("ij,j->i", words.numpy(), factors)
    sums = (words.to(torch.int64) * torch.from_numpy(factors).to(words.device)).sum(dim=1)
    return sums.cpu().numpy()
