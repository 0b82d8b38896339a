"""Feature arrays: what is asked of them at every door, and reading their rows a block at a time.

An array is [n, d], NumPy (memory-mapped too) or torch. Reading in float64: NumPy arrays,
memory-mapped ones and tensors on the CPU come back as NumPy arrays; tensors on a CUDA device stay
there; other devices (Apple's MPS has no float64) are brought to the CPU, one block at a time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from array_api_compat import is_torch_array
from numpy.typing import NDArray

from genmem.errors import InputError, UsageError

BLOCK_BYTES = 160 * 2**20
"""float64 bytes of one block of rows: 10,000 of 2,048 features, the usual set, are one block."""

_ROWS_PER_CHECK = 16_384


def check_features(array: Any, *, role: str) -> Any:
    """`array` itself, once it is known to be float rows without NaN or infinity.

    Args:
        array: NumPy (memory-mapped too) or torch, [n, d], floating point, n ≥ 1 and d ≥ 1.
        role: what the rows are ("generated", "train", "test"); named in the error.

    Raises:
        InputError: not two-dimensional, empty, not floating point, or not finite; the first bad
            row is named.
    """
    if not is_torch_array(array) and not isinstance(array, np.ndarray):
        raise InputError(
            f"{role}: expected a NumPy or torch array of features [n, d], got "
            f"{type(array).__name__}; convert it with numpy.asarray."
        )
    if array.ndim != 2 or 0 in array.shape:
        raise InputError(
            f"{role}: expected features [n, d], one row an image, got shape {tuple(array.shape)}."
        )
    if not _is_floating(array):
        raise InputError(
            f"{role}: expected floating-point features, got {array.dtype}; convert them with "
            "astype('float32')."
        )
    for start in range(0, array.shape[0], _ROWS_PER_CHECK):
        bad = _rows_not_finite(array[start : start + _ROWS_PER_CHECK])
        if bad.size:
            raise InputError(
                f"{role}: row {start + int(bad[0])} holds NaN or infinity; every feature must be "
                "finite. Recompute the features of that image or leave it out."
            )
    return array


def check_same_dimension(**arrays: Any) -> int:
    """The common number of columns of the named feature arrays.

    Raises:
        InputError: they differ, so they come from different backbones.
    """
    dimensions = {role: int(array.shape[1]) for role, array in arrays.items()}
    if len(set(dimensions.values())) > 1:
        listed = ", ".join(f"{role} has {d}" for role, d in dimensions.items())
        raise InputError(
            f"the sets differ in feature dimension: {listed}. Extract all of them with the same "
            "backbone."
        )
    return next(iter(dimensions.values()))


def check_feature_sets(arrays: Mapping[str, Any]) -> dict[str, int]:
    """Check every named array and their common dimension; the rows in each, by role."""
    for role, array in arrays.items():
        check_features(array, role=role)
    check_same_dimension(**arrays)
    return {role: int(array.shape[0]) for role, array in arrays.items()}


def check_at_least(count: int, least: int, *, role: str, why: str) -> None:
    """Raise InputError when a set holds fewer than `least` rows, saying why that many."""
    if count < least:
        raise InputError(f"{role}: expected at least {least} rows, got {count}: {why}")


def check_choice(value: str, choices: tuple[str, ...], *, name: str) -> str:
    """`value`, once it is one of `choices`.

    Raises:
        UsageError: it is not.
    """
    if value not in choices:
        raise UsageError(f"{name}: expected one of {', '.join(choices)}, got {value!r}.")
    return value


def _is_floating(array: Any) -> bool:
    if is_torch_array(array):
        return bool(array.dtype.is_floating_point)
    return np.issubdtype(array.dtype, np.floating)


def _rows_not_finite(rows: Any) -> np.ndarray:
    # A sum is finite exactly when no row holds NaN or infinity, save for overflow, which the
    # row-by-row look then clears; so the common case reads the block once and writes nothing.
    if is_torch_array(rows):
        rows = rows.detach()
        rows_sum = float(rows.sum())
        if np.isfinite(rows_sum):
            return np.empty(0, dtype=np.int64)
        return (~rows.isfinite().all(dim=1)).nonzero().flatten().cpu().numpy()
    with np.errstate(over="ignore", invalid="ignore"):
        rows_sum = np.sum(rows, dtype=np.float32 if rows.itemsize < 4 else None)
    if np.isfinite(rows_sum):
        return np.empty(0, dtype=np.int64)
    return np.flatnonzero(~np.isfinite(rows).all(axis=1))


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
    picked = array.detach()[rows]
    if picked.device.type == "cuda":
        return picked.double().clone() if picked.dtype.itemsize == 8 else picked.double()
    return np.array(to_numpy(picked), dtype=np.float64)


def take_rows(array: Any, rows: NDArray[np.int64]) -> Any:
    """The given rows of `array`, in its own precision, on its own device."""
    return array.detach()[rows] if is_torch_array(array) else np.asarray(array[rows])


def to_numpy(array: Any) -> NDArray[Any]:
    """An array or tensor as a NumPy array on the CPU; bfloat16, which NumPy lacks, as float32."""
    if not is_torch_array(array):
        return np.asarray(array)
    tensor = array.detach().cpu()
    return (tensor.float() if str(tensor.dtype) == "torch.bfloat16" else tensor).numpy()
