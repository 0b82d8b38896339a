"""What an array argument means, in every function that takes one; and reading rows in blocks.

`as_array` turns what users have (NumPy, torch, masked arrays, matrices, data frames, JAX and other
objects with `__array__` or `__dlpack__`) into a plain NumPy array (memory-mapped too) or a plain
torch tensor, or refuses it in one line. `as_features` and the functions after it say what the
values must be.

Blocks of NumPy arrays and of tensors on the CPU are read into float64 NumPy arrays; blocks of
tensors on a CUDA device stay there; those on other devices (Apple's MPS has no float64) are copied
to the CPU.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from array_api_compat import is_torch_array
from numpy.typing import NDArray

from genmem.errors import InputError, UsageError

BLOCK_BYTES = 160 * 2**20
"""float64 bytes of one block of rows: the usual 10,000 rows of 2,048 features are one block."""

LARGEST_GPU_BLOCK = 2**30
"""Bytes of one block of a search on a GPU, where they are free: fewer, larger steps wait less."""

_ROWS_PER_CHECK = 16_384


def is_array_like(value: object) -> bool:
    """Whether `value` is an array, or an object that offers its values as one."""
    if isinstance(value, type):
        return False
    return any(hasattr(value, name) for name in ("__array__", "__dlpack__", "toarray"))


def as_array(value: Any, *, role: str) -> Any:
    """An array argument as a plain NumPy array or torch tensor of its values.

    Nothing is copied where NumPy and torch can share the memory. Tensors stay on their device,
    without gradients.

    Args:
        value: NumPy (memory-mapped too), torch, or an object with `__array__` or `__dlpack__`.
        role: what it is ("generated", "train", …), for messages.

    Returns:
        `numpy.ndarray` or `torch.Tensor` of any shape and type, in this machine's byte order.

    Raises:
        InputError: it is no array; or values are masked, sparse, quantized, not there (meta
            tensors) or spread over machines.
    """
    if is_torch_array(value):
        return _plain_tensor(value, role)
    if not isinstance(value, np.ndarray):
        value = _converted(value, role)
        if is_torch_array(value):
            return value
    if isinstance(value, np.ma.MaskedArray):
        if masked := int(np.ma.count_masked(value)):
            raise InputError(
                f"{role}: {masked:,} values of the array are masked. Leave those rows or images "
                "out, or fill them with .filled(value)."
            )
        value = value.data
    array = value if isinstance(value, np.memmap) else np.asarray(value)
    if not array.dtype.isnative:
        return array.astype(array.dtype.newbyteorder("="))
    if _is_extension_float(array.dtype):
        return array.astype(np.float32)
    if array.dtype.kind == "f" and array.dtype.itemsize > 8:
        return array.astype(np.float64)
    return array


def as_source(value: Any, *, role: str) -> Any:
    """A set of images or features: `as_array` of an array, anything else unchanged.

    Raises:
        InputError: as for `as_array`; or an array has too few or too many dimensions for either.
    """
    if not is_array_like(value):
        return value
    array = as_array(value, role=role)
    if array.ndim not in (2, 3, 4):
        raise InputError(
            f"{role}: expected features [n, d] or uint8 images [n, H, W, 3], got {array.dtype} "
            f"{list(array.shape)}."
        )
    return array


def as_features(value: Any, *, role: str) -> Any:
    """An array argument as rows of finite floating-point features.

    Args:
        value: whatever `as_array` takes, [n, d], floating point, n ≥ 1 and d ≥ 1.
        role: what the rows are ("generated", "train", "test"), for messages.

    Returns:
        A plain NumPy array (memory-mapped too) or torch tensor, [n, d].

    Raises:
        InputError: as for `as_array`; or it is not two-dimensional, empty, not floating point, or
            not finite; the first bad row is named.
    """
    array = as_array(value, role=role)
    if array.ndim != 2 or 0 in array.shape:
        raise InputError(
            f"{role}: expected features [n, d], one row per image, got shape {tuple(array.shape)}."
        )
    check_floating(array, role=role)
    for start in range(0, array.shape[0], _ROWS_PER_CHECK):
        bad = rows_not_finite(array[start : start + _ROWS_PER_CHECK])
        if bad.size:
            raise InputError(
                f"{role}: row {start + int(bad[0])} holds NaN or infinity; every feature must be "
                "finite. Recompute the features of that image or leave it out."
            )
    return array


def as_feature_sets(**sets: Any) -> dict[str, Any]:
    """`as_features` of every named set, all of one dimension."""
    arrays = {role: as_features(value, role=role) for role, value in sets.items()}
    check_same_dimension(**arrays)
    return arrays


def row_counts(sets: Mapping[str, Any]) -> dict[str, int]:
    """The number of rows of each set by role."""
    return {role: int(array.shape[0]) for role, array in sets.items()}


def as_distances(value: Any, *, role: str, least: int = 1) -> NDArray[np.float64]:
    """An array argument, or a list of numbers, as finite distances, float64 [n].

    Args:
        value: one distance (or FD, or score) for each row; whatever `as_array` takes, or a list.
        role: what they are, for messages.
        least: the smallest n.

    Raises:
        InputError: as for `as_array`; or it is not one-dimensional, too short, or not finite.
    """
    array = to_numpy(as_array(_listed(value), role=role))
    if array.ndim != 1 or array.size < least or array.dtype.kind not in "fiu":
        raise InputError(
            f"{role}: expected a finite distance for each row, [n], got {array.dtype} "
            f"{list(array.shape)}."
        )
    array = array.astype(np.float64)
    bad = np.flatnonzero(~np.isfinite(array))
    if bad.size:
        raise InputError(
            f"{role}: expected a finite distance for each row, got {array[bad[0]]} for row "
            f"{bad[0]}."
        )
    return array


def as_labels(value: Any, *, role: str, count: int) -> NDArray[Any]:
    """An array argument, or a list, as one label for each of `count` rows, [count].

    Raises:
        InputError: as for `as_array`; or there are more or fewer labels, or one is missing (None
            or NaN).
    """
    array = to_numpy(as_array(_listed(value), role=role))
    if array.shape != (count,):
        raise InputError(
            f"{role}: expected one label for each of the {count} rows, got shape {array.shape}."
        )
    missing = [row for row, label in enumerate(array.tolist()) if label is None or label != label]
    if missing:
        raise InputError(f"{role}: the label of row {missing[0]} is missing. Give every row one.")
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


def check_floating(array: Any, *, role: str) -> None:
    """Raise InputError unless a plain array holds floating-point numbers."""
    if is_torch_array(array):
        is_number, is_floating = not array.dtype.is_complex, array.dtype.is_floating_point
    else:
        is_number, is_floating = array.dtype.kind in "biufO", array.dtype.kind == "f"
    if is_floating:
        return
    advice = "; convert them with astype('float32')"
    raise InputError(
        f"{role}: expected floating-point features, got {array.dtype}{advice if is_number else ''}."
    )


def _plain_tensor(tensor: Any, role: str) -> Any:
    """A torch tensor without gradient or subclass, if its values are here."""
    import torch

    ordinary: Any = torch.Tensor
    reason = None
    if hasattr(tensor, "get_mask"):
        reason = "a masked tensor; fill it with .to_tensor(value)"
    elif type(tensor).__torch_dispatch__ is not ordinary.__torch_dispatch__:
        reason = f"a {type(tensor).__name__}, whose values lie elsewhere; give a plain tensor"
    elif tensor.is_nested:
        reason = "a nested tensor, with rows of different lengths; pad or crop them to one"
    elif tensor.layout != torch.strided:
        reason = "a sparse tensor; convert it with .to_dense()"
    elif tensor.is_meta:
        reason = "a tensor on the device meta, which holds no values"
    elif tensor.is_quantized:
        reason = "a quantized tensor; convert it with .dequantize()"
    if reason is not None:
        raise InputError(f"{role}: expected an array of values, got {reason}.")
    plain = tensor.detach().as_subclass(torch.Tensor).resolve_neg()
    # torch computes nothing in float8.
    is_float8 = plain.dtype.is_floating_point and plain.dtype.itemsize == 1
    return plain.float() if is_float8 else plain


def _converted(value: Any, role: str) -> Any:
    """An object with `__array__` or `__dlpack__` as NumPy array (masked, if it is) or tensor.

    `why_no_array` of an object's class is said where it is given in place of one.
    """
    expected = f"{role}: expected a NumPy or torch array, or an object with __array__ or __dlpack__"
    kind = type(value).__name__
    reason = getattr(value, "why_no_array", "convert it with numpy.asarray")
    if hasattr(value, "__array__"):
        try:
            return np.asanyarray(value)
        except Exception as error:  # it is code of another library's
            reason = f"its __array__ failed ({' '.join(str(error).split())[:200]})"
    elif hasattr(value, "toarray"):
        reason = "a sparse matrix: convert it with .toarray()"
    if hasattr(value, "__dlpack__"):
        import torch

        try:
            return torch.from_dlpack(value)
        except Exception as error:
            reason = f"its __dlpack__ failed ({' '.join(str(error).split())[:200]})"
    raise InputError(f"{expected}, got {kind}; {reason}.")


def _listed(value: Any) -> Any:
    """A list or another sequence of scalars as an array, masked values and all."""
    if is_array_like(value) or isinstance(value, str | bytes):
        return value
    try:
        items = list(value)
    except TypeError:
        return value
    masked = [item is np.ma.masked for item in items]
    if any(masked):
        return np.ma.masked_array(np.zeros(len(items)), masked)  # `as_array` refuses it
    return np.asarray(items, dtype=object if None in items else None)


def _is_extension_float(dtype: np.dtype) -> bool:
    """Whether it is bfloat16 or another short floating-point type that a package added to NumPy."""
    return dtype.kind == "V" and dtype.names is None and "float" in dtype.name


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


def block_bytes(device: Any, least: int) -> int:
    """Bytes of one block where results do not depend on the blocks.

    Args:
        device: a `torch.device`.
        least: on a CPU, whose caches it suits.

    Returns:
        `least`; on CUDA the largest power of two up to an eighth of the memory that is free there,
        and up to `LARGEST_GPU_BLOCK`, if that is more.
    """
    if device.type != "cuda":
        return least
    import torch

    free = torch.cuda.mem_get_info(device)[0] // 8
    return max(least, min(LARGEST_GPU_BLOCK, 1 << max(0, free.bit_length() - 1)))


def float64_device(device: Any) -> Any:
    """Where float64 numbers of a device are computed: on the CPU for MPS, which has none."""
    import torch

    return torch.device("cpu") if device.type == "mps" else device


def equal_rows(first: Any, second: Any) -> bool:
    """Whether two feature arrays hold the same numbers, looked at block by block."""
    if first is second or first.shape != second.shape:
        return first is second
    parts = block_slices(int(first.shape[0]), int(first.shape[1]))
    if is_torch_array(first) and is_torch_array(second) and first.device == second.device:
        return all(bool((first[part] == second[part]).all()) for part in parts)
    return all(np.array_equal(to_numpy(first[part]), to_numpy(second[part])) for part in parts)


def too_large(role: str) -> InputError:
    """The error for features whose products are beyond the numbers of the machine."""
    return InputError(
        f"{role}: the features are so large that their products overflow. Divide all features of "
        "all sets by the same number."
    )


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
    """A plain array or tensor as a NumPy array; types that NumPy lacks (bfloat16, …) as float32."""
    if not is_torch_array(array):  # a memory map stays one
        return array
    tensor = array.detach().cpu()
    try:
        return tensor.numpy()
    except TypeError:
        return tensor.float().numpy()
