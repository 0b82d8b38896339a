"""Feature arrays: checks of what the user gives, and reading their rows block by block.

An array is [n, d], NumPy (memory-mapped too) or torch. Blocks of NumPy arrays and of tensors on the
CPU are read into float64 NumPy arrays; blocks of tensors on a CUDA device stay there; those on
other devices (Apple's MPS has no float64) are copied to the CPU.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from array_api_compat import is_torch_array
from numpy.typing import NDArray

from genmem.errors import InputError, UsageError
from genmem.set_statistics import Statistics

BLOCK_BYTES = 160 * 2**20
"""float64 bytes of one block of rows: the usual 10,000 rows of 2,048 features are one block."""

_ROWS_PER_CHECK = 16_384


def check_features(array: Any, *, role: str) -> Any:
    """Check that an array holds rows of finite floating-point features.

    Args:
        array: NumPy (memory-mapped too) or torch, [n, d], floating point, n ≥ 1 and d ≥ 1.
        role: what the rows are ("generated", "train", "test"); named in the error.

    Returns:
        `array` itself.

    Raises:
        InputError: not two-dimensional, empty, not floating point, or not finite; the first bad
            row is named.
    """
    if isinstance(array, Statistics):
        raise InputError(
            f"{role}: expected rows of features [n, d], got statistics of a set (mu and sigma), "
            "which hold no rows and serve FD only."
        )
    if not is_torch_array(array) and not isinstance(array, np.ndarray):
        raise InputError(
            f"{role}: expected a NumPy or torch array of features [n, d], got "
            f"{type(array).__name__}; convert it with numpy.asarray."
        )
    if array.ndim != 2 or 0 in array.shape:
        raise InputError(
            f"{role}: expected features [n, d], one row per image, got shape {tuple(array.shape)}."
        )
    if not _is_floating(array):
        raise InputError(
            f"{role}: expected floating-point features, got {array.dtype}; convert them with "
            "astype('float32')."
        )
    for start in range(0, array.shape[0], _ROWS_PER_CHECK):
        bad = rows_not_finite(array[start : start + _ROWS_PER_CHECK])
        if bad.size:
            raise InputError(
                f"{role}: row {start + int(bad[0])} holds NaN or infinity; every feature must be "
                "finite. Recompute the features of that image or leave it out."
            )
    return array


def check_same_dimension(**arrays: Any) -> int:
    """Check that the named feature arrays have one number of columns, and return it.

    Raises:
        InputError: the numbers differ: the arrays come from different backbones.
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
    """Check every named array and their common dimension; return the row counts by role."""
    for role, array in arrays.items():
        check_features(array, role=role)
    check_same_dimension(**arrays)
    return {role: int(array.shape[0]) for role, array in arrays.items()}


def check_at_least(count: int, least: int, *, role: str, why: str) -> None:
    """Raise InputError if a set holds too few rows.

    Args:
        count: its rows.
        least: the rows that are needed.
        role: the set, for the message.
        why: what needs that many, for the message.
    """
    if count < least:
        raise InputError(f"{role}: expected at least {least} rows, got {count}: {why}")


def check_choice(value: str, choices: tuple[str, ...], *, name: str) -> str:
    """Check that `value` is one of `choices`, and return it.

    Args:
        value: what the caller passed.
        choices: the allowed values.
        name: the parameter, for the message.

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


def rows_not_finite(rows: Any) -> NDArray[np.int64]:
    """The indices of rows that hold NaN or infinity."""
    # A sum is finite if and only if no row holds NaN or infinity, except for overflow, which the
    # check row by row then clears: the common case reads the block once and writes nothing.
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
    """Yield consecutive slices that cover an array, each at most `BLOCK_BYTES` as float64.

    Args:
        count: rows of the array.
        dimension: its columns.
    """
    step = max(1, BLOCK_BYTES // (8 * dimension))
    for start in range(0, count, step):
        yield slice(start, min(count, start + step))


def copy_float64(array: Any, rows: slice | NDArray[np.int64]) -> Any:
    """Copy rows of an array to float64.

    Args:
        array: features [n, d].
        rows: a slice, or int64 indices [m].

    Returns:
        float64 [m, d], which may be written to; on a CUDA device if `array` is, else in NumPy.
    """
    if not is_torch_array(array):
        selected = array[rows]
        return np.array(selected, dtype=np.float64, order="C")
    selected = array.detach()[rows]
    if selected.device.type == "cuda":
        return selected.double().clone() if selected.dtype.itemsize == 8 else selected.double()
    return np.array(to_numpy(selected), dtype=np.float64)


def take_rows(array: Any, rows: NDArray[np.int64]) -> Any:
    """Rows of an array, in its own precision, on its own device.

    Args:
        array: features [n, d].
        rows: int64 indices [m].
    """
    return array.detach()[rows] if is_torch_array(array) else np.asarray(array[rows])


def to_numpy(array: Any) -> NDArray[Any]:
    """An array or tensor as a NumPy array; types that NumPy lacks (bfloat16, …) as float32."""
    if isinstance(array, np.ndarray):  # a memory map stays one
        return array
    if not is_torch_array(array):
        return np.asarray(array)
    tensor = array.detach().cpu()
    try:
        return tensor.numpy()
    except TypeError:
        return tensor.float().numpy()
