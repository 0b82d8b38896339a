"""Rows that are equal: sets of black or repeated images hold thousands of them.

Equal rows have equal distances, so the search and the ball counts read one row of each group. Also
how rows are read, and on which device.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from array_api_compat import is_torch_array
from numpy.typing import NDArray

from genmem.arrays import to_numpy

_BYTES_PER_PART = 4 * 2**20
"""Bytes of rows that are read at once; they fit in the CPU's cache."""

_COLUMNS = 16
_ROWS_PER_PART = 16_384
"""Columns that are compared first, and rows of them that are read at once."""

_DTYPES = tuple(np.dtype(kind) for kind in (np.float16, np.float32, np.float64))
"""What torch can hold, too; other precisions and byte orders become float64."""

_WORDS = {2: "int16", 4: "int32", 8: "int32"}
"""Integers by the bytes of a value that is read as them."""


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
        differs = to_numpy((read_rows(array, rows) != read_rows(array, source[rows])).any(1))
        source[rows[differs]] = rows[differs]
    first, groups = np.unique(source, return_inverse=True)
    return first, groups


def is_on_cpu(*arrays: Any) -> bool:
    """Whether all arrays are in the memory of the CPU."""
    return all(not is_torch_array(array) or array.device.type == "cpu" for array in arrays)


def device_of(*arrays: Any) -> Any:
    """The `torch.device` to compute on: the first but the CPU that an array is on, else the CPU."""
    import torch

    devices = [array.device for array in arrays if is_torch_array(array)]
    return next((device for device in devices if device.type != "cpu"), torch.device("cpu"))


def earlier_copies(groups: NDArray[np.int64]) -> NDArray[np.int64]:
    """int64 [n]: for each row, the number of rows before it that are of its group."""
    order = np.argsort(groups, kind="stable")
    ordered = groups[order]
    copies = np.empty(len(groups), dtype=np.int64)
    copies[order] = np.arange(len(groups)) - np.searchsorted(ordered, ordered)
    return copies


def without_copies(array: Any, most: int) -> NDArray[np.int64]:
    """The rows, int64 [c] ascending, that fewer than `most` equal ones precede."""
    first, groups = group_equal_rows(array)
    if len(first) == len(groups):
        return first
    return np.flatnonzero(earlier_copies(groups) < most)


def read_rows(array: Any, rows: slice | NDArray[np.int64]) -> Any:
    """Rows in their own precision, for reading only, as NumPy array or tensor.

    A slice may be the caller's own memory.
    """
    if is_torch_array(array):
        if isinstance(rows, slice):
            return array[rows].detach()
        import torch

        return array[torch.from_numpy(rows).to(array.device)].detach()
    part = np.asarray(array[rows])
    if part.dtype not in _DTYPES or not part.flags.c_contiguous:
        part = np.array(part, dtype=part.dtype if part.dtype in _DTYPES else np.float64, order="C")
    return part


def _fingerprints(rows: Any) -> NDArray[np.int64]:
    """int64 [b]: sums of the rows' words times fixed odd numbers, modulo 2⁶⁴.

    Integers, so that equal rows have equal sums wherever they are computed.
    """
    rows = to_numpy(rows) if is_on_cpu(rows) else rows
    flat = (rows + 0.0).reshape(-1)  # −0.0 becomes 0.0
    kind = _WORDS[rows.itemsize]
    if isinstance(flat, np.ndarray):
        words = flat.view(kind).reshape(len(rows), -1)
        return np.einsum("ij,j->i", words, _factors(words.shape[1]))
    import torch

    words = flat.view(getattr(torch, kind)).view(len(rows), -1)
    factors = torch.from_numpy(_factors(words.shape[1])).to(words.device)
    return (words.to(torch.int64) * factors).sum(dim=1).cpu().numpy()


def _factors(count: int) -> NDArray[np.int64]:
    rng = np.random.default_rng(0)
    return rng.integers(-(2**62), 2**62, size=count, dtype=np.int64) * 2 + 1
