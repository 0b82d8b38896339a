"""Rows of a feature array, a bounded number at a time, in the precision a metric computes in.

NumPy arrays, memory-mapped ones and tensors on the CPU come back as NumPy arrays; tensors on a
CUDA device stay there; other devices (Apple's MPS has no float64) are brought to the CPU, one
block at a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch
from array_api_compat import is_torch_array
from numpy.typing import NDArray

BLOCK_BYTES = 64 * 2**20
"""float64 bytes of one block of rows."""


def block_slices(count: int, dimension: int) -> Iterator[slice]:
    """Consecutive slices of at most `BLOCK_BYTES` of float64 that cover `count` rows."""
    step = max(1, BLOCK_BYTES // (8 * dimension))
    for start in range(0, count, step):
        yield slice(start, min(count, start + step))


def copy_float64(array: Any, rows: slice | NDArray[np.int64]) -> Any:
    """The given rows of `array` as float64, always a copy that may be written to."""
    if not is_torch_array(array):
        picked = array[rows]
        return np.array(picked, dtype=np.float64, order="C")
    picked = _pick(array, rows)
    if picked.device.type == "cuda":
        return picked.to(torch.float64, copy=True)
    return picked.cpu().to(torch.float64, copy=True).numpy()


def take_rows(array: Any, rows: NDArray[np.int64]) -> Any:
    """The given rows of `array`, in its own precision, on its own device."""
    return _pick(array, rows) if is_torch_array(array) else np.asarray(array[rows])


def to_numpy(array: Any) -> NDArray[Any]:
    """A small array or tensor as a NumPy array on the CPU."""
    return array.detach().cpu().numpy() if is_torch_array(array) else np.asarray(array)


def _pick(tensor: torch.Tensor, rows: slice | NDArray[np.int64]) -> torch.Tensor:
    if isinstance(rows, slice):
        return tensor.detach()[rows]
    return tensor.detach().index_select(0, torch.from_numpy(rows).to(tensor.device))
