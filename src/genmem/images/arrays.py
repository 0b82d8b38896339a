"""Images as pixels: arrays in memory, .npy and .npz files."""

from __future__ import annotations

import math
import zipfile
from pathlib import Path
from typing import IO, Any

import numpy as np
from array_api_compat import is_torch_array
from numpy.typing import NDArray

from genmem.arrays import as_array, to_numpy
from genmem.errors import GenmemError, InputError, UsageError
from genmem.images.source import ImageSource, number_id
from genmem.images.tempfiles import copy_to_tempfile
from genmem.io.npy import read_npy_header
from genmem.io.npz_layouts import npz_layout, statistics_are_no_rows

ValueRange = tuple[float, float]
"""The values of black and white in floating-point images: (0, 1), (-1, 1)."""


class ArraySource(ImageSource):
    """Images in one array, as `as_pixels` takes them.

    The array is not copied, in memory or memory-mapped; only the image that is read is.
    """

    def __init__(
        self,
        pixels: Any,
        *,
        name: str,
        where: str,
        file: IO[bytes] | None = None,
        value_range: ValueRange | None = None,
    ) -> None:
        """Use `pixels` (an array or tensor), and the `file` that they are mapped from, if any."""
        self.name, self.where = name, where
        self._pixels = as_pixels(pixels, where=where, value_range=value_range)
        self._range = value_range
        self._file = file

    def __len__(self) -> int:
        return len(self._pixels)

    def id(self, position: int) -> str:
        """The image's number along the first axis."""
        return number_id(position, len(self))

    def content(self, position: int) -> NDArray[np.uint8]:
        """One image's pixels, uint8 [H, W] or [H, W, C]: a view of uint8 ones."""
        return to_uint8(self._pixels[position], self._range)

    def close(self) -> None:
        """Close the mapped file, if there is one."""
        if self._file:
            self._pixels = np.empty((0, 0, 0), np.uint8)
            self._file.close()


def open_array_file(path: Path) -> ArraySource:
    """Open a .npy file, memory-mapped, or the images of an .npz file (`genmem.io.npz_layouts`).

    A member of an .npz may be compressed, so it is copied into an unnamed temporary file first and
    mapped there.

    Raises:
        InputError: not such a file, cut short, or an array that is not images.
    """
    try:
        file = _copy_member(path) if path.suffix.lower() == ".npz" else path.open("rb")
    except GenmemError:
        raise
    except Exception as error:  # NumPy's and zipfile's readers raise almost anything
        raise InputError(f"{path}: not a .npz file, or cut short: {error}") from error
    try:
        return ArraySource(_map_npy(file, path), name=path.name, where=str(path), file=file)
    except BaseException:
        file.close()
        raise


def _map_npy(file: IO[bytes], path: Path) -> NDArray[Any]:
    try:
        shape, fortran_order, dtype = read_npy_header(file)
        if dtype.hasobject:
            raise InputError(
                f"{path}: holds Python objects, which are never loaded. Expected uint8."
            )
        order = "F" if fortran_order else "C"
        return np.memmap(file, dtype, mode="r", offset=file.tell(), shape=shape, order=order)
    except (ValueError, OverflowError, OSError) as error:
        raise InputError(f"{path}: not a .npy array, or cut short: {error}") from error


def _copy_member(path: Path) -> IO[bytes]:
    layout = npz_layout(path)
    if layout.kind == "statistics":
        raise statistics_are_no_rows(path)
    with zipfile.ZipFile(path) as archive:
        entry = archive.getinfo(f"{layout.rows}.npy")
        if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise InputError(f"{path}: is not compressed as NumPy does it. Save it again.")
        with archive.open(entry) as member:
            return copy_to_tempfile(member, compressed=entry.compress_size, what=str(path))


_CHANNELS = (1, 3, 4)
"""Gray, RGB, and RGB with transparency."""


def check_value_range(value_range: Any) -> ValueRange | None:
    """The argument `value_range` as a pair of numbers, the smaller first; None stays None.

    Raises:
        UsageError: it is something else.
    """
    if value_range is None:
        return None
    try:
        low, high = map(float, value_range)
    except (TypeError, ValueError):
        low = high = math.nan
    if not (math.isfinite(low) and math.isfinite(high) and low < high):
        raise UsageError(
            f"value_range: expected the values of black and white, (0, 1) or (-1, 1), got "
            f"{str(value_range)[:60]}."
        )
    return low, high


def to_uint8(pixels: NDArray[Any], value_range: ValueRange | None) -> NDArray[np.uint8]:
    """Pixels as uint8: (x − low) / (high − low) · 255, rounded; uint8 pixels unchanged.

    Args:
        pixels: uint8, or floating point within `value_range`.
        value_range: the values of black and white; used of floating-point pixels only.
    """
    if pixels.dtype == np.uint8 or value_range is None:
        return pixels
    low, high = value_range
    scaled = (pixels.astype(np.float64) - low) * (255 / (high - low))
    return np.clip(np.rint(scaled), 0, 255).astype(np.uint8)


_ROWS_PER_CHECK = 256


def _check_values(array: Any, value_range: ValueRange, where: str) -> None:
    """Raise InputError if an image has values outside the range, beyond rounding to 8 bits."""
    low, high = value_range
    margin = (high - low) / 510
    for start in range(0, len(array), _ROWS_PER_CHECK):
        part = to_numpy(array[start : start + _ROWS_PER_CHECK]).astype(np.float64)
        if not np.isfinite(part).all():
            raise InputError(f"{where}: some pixels are NaN or infinite. Leave those images out.")
        least, most = float(part.min()), float(part.max())
        if least < low - margin or most > high + margin:
            raise InputError(
                f"{where}: the values go from {least:.3g} to {most:.3g}, beyond "
                f"value_range=({low:g}, {high:g}). Give the range that the images have, or clip "
                "them to it."
            )


def as_pixels(value: Any, *, where: str, value_range: ValueRange | None = None) -> NDArray[Any]:
    """An array argument as images, with the channels last; a view where possible.

    Channels stand last, [N, H, W, C], or first, [N, C, H, W], as in torch. No shape is guessed:
    one that may mean either, or a single image, is refused. Nor is the range of floating-point
    pixels.

    Args:
        value: whatever `genmem.arrays.as_array` takes.
        where: what it is, for messages.
        value_range: the values of black and white in floating-point images; None refuses these.

    Returns:
        uint8, or floating point within the range: [N, H, W, C] with C of 1, 3 or 4, or gray
        [N, H, W].

    Raises:
        InputError: it is no array of such images.
    """
    array = as_array(value, role=where)
    shape = tuple(array.shape)
    dtype = str(array.dtype).removeprefix("torch.")
    expected = (
        f"{where}: expected images, uint8 [N, H, W, 3] (or 1 or 4), [N, 3, H, W], or gray "
        f"[N, H, W]; got {dtype} {list(shape)}"
    )
    if len(shape) == 2:
        raise InputError(
            f"{expected}. Two dimensions are features, not images; features are floating point."
        )
    is_floating = "float" in dtype
    if dtype != "uint8" and not (is_floating and value_range is not None):
        hint = "give value_range=(0, 1) or (-1, 1), or scale" if is_floating else "Scale"
        hint = f"If these are images, {hint}" if is_floating else hint
        raise InputError(f"{expected}. {hint} to 0 … 255, round, and convert to uint8.")
    if 0 in shape:
        raise InputError(f"{expected}, which is empty.")
    if len(shape) == 3 and (shape[2] in (3, 4) or shape[0] in (3, 4)):
        raise InputError(
            f"{expected}. For a single image add an axis: array[None]; for gray images: "
            "array[..., None]."
        )
    if len(shape) in (3, 4) and is_floating and value_range is not None:
        _check_values(array, value_range, where)
    if len(shape) == 3:
        return to_numpy(array)
    if len(shape) == 4 and (shape[1] in _CHANNELS) != (shape[3] in _CHANNELS):
        pixels = to_numpy(array)
        return pixels if shape[3] in _CHANNELS else pixels.transpose(0, 2, 3, 1)
    if len(shape) == 4 and shape[3] in _CHANNELS:
        if not is_torch_array(array):
            return array  # NumPy's images have their channels last
        raise InputError(
            f"{expected}. Its channels may be first or last: give a NumPy array with the channels "
            "last, tensor.permute(0, 2, 3, 1).numpy() if they are first."
        )
    raise InputError(f"{expected}.")
