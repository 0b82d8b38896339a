"""Images as pixels: arrays in memory, .npy and .npz files; and iterables of images."""

from __future__ import annotations

import zipfile
from array import array
from collections.abc import Iterable
from pathlib import Path
from typing import IO, Any

import numpy as np
from array_api_compat import is_torch_array
from numpy.typing import NDArray
from PIL import Image

from genmem.arrays import as_array, is_array_like, to_numpy
from genmem.errors import GenmemError, InputError
from genmem.images.decode import image_to_rgb
from genmem.images.source import ImageSource, number_id
from genmem.images.tempfiles import SharedFile, copy_to_tempfile, new_tempfile
from genmem.io.npy import read_npy_header
from genmem.io.npz_layouts import npz_layout, statistics_are_no_rows
from genmem.io.paths import temporary_file_errors


class ArraySource(ImageSource):
    """Images in one uint8 array, as `as_pixels` takes them.

    The array is not copied, in memory or memory-mapped; only the image that is read is.
    """

    def __init__(
        self, pixels: Any, *, name: str, where: str, file: IO[bytes] | None = None
    ) -> None:
        """Use `pixels` (an array or tensor), and the `file` that they are mapped from, if any."""
        self.name, self.where = name, where
        self._pixels = as_pixels(pixels, where=where)
        self._file = file

    def __len__(self) -> int:
        return len(self._pixels)

    def id(self, position: int) -> str:
        """The image's number along the first axis."""
        return number_id(position, len(self))

    def content(self, position: int) -> NDArray[np.uint8]:
        """One image's pixels, uint8 [H, W] or [H, W, C]: a view."""
        return self._pixels[position]

    def close(self) -> None:
        """Close the mapped file, if there is one."""
        if self._file:
            self._pixels = np.empty((0, 0, 0), np.uint8)
            self._file.close()


class IterableSource(ImageSource):
    """Images from an iterable, copied into an unnamed temporary file.

    Encoded images are stored unchanged, Pillow images and arrays as pixels.
    """

    name = where = "iterable"

    def __init__(self, images: Iterable[Any]) -> None:
        file = new_tempfile()
        try:
            ends, shapes = array("q", [0]), array("q")
            for position, image in enumerate(images):
                content = _to_content(image, what=f"item {position} of the iterable")
                with temporary_file_errors():
                    file.write(content if isinstance(content, bytes) else content.tobytes())
                ends.append(file.tell())
                shape = () if isinstance(content, bytes) else content.shape
                shapes.extend((*shape, 0, 0, 0)[:3])
            with temporary_file_errors():
                file.flush()
            if len(ends) == 1:
                raise InputError("the iterable: expected at least one image, but it was empty.")
        except BaseException:
            file.close()
            raise
        self._file = SharedFile(file)
        self._ends = np.array(ends)
        self._shapes = np.array(shapes).reshape(-1, 3)

    def __len__(self) -> int:
        return len(self._shapes)

    def id(self, position: int) -> str:
        """The image's place in the iterable."""
        return number_id(position, len(self))

    def content(self, position: int) -> bytes | NDArray[np.uint8]:
        """The encoded image, or its pixels, uint8 [H, W] or [H, W, C]."""
        begin, end = self._ends[position : position + 2].tolist()
        content = self._file.read_at(begin, end - begin)
        shape = [size for size in self._shapes[position].tolist() if size]
        return np.frombuffer(content, np.uint8).reshape(shape) if shape else content

    def close(self) -> None:
        """Delete the temporary file."""
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


def as_pixels(value: Any, *, where: str) -> NDArray[np.uint8]:
    """An array argument as images: uint8 with the channels last; a view where possible.

    Channels stand last, [N, H, W, C], or first, [N, C, H, W], as in torch. No shape is guessed:
    one that may mean either, or a single image, is refused.

    Args:
        value: whatever `genmem.arrays.as_array` takes.
        where: what it is, for messages.

    Returns:
        uint8 [N, H, W, C] with C of 1, 3 or 4, or gray [N, H, W].

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
    if dtype != "uint8":
        raise InputError(f"{expected}. Scale to 0 … 255, round, and convert to uint8.")
    if 0 in shape:
        raise InputError(f"{expected}, which is empty.")
    if len(shape) == 3 and (shape[2] in (3, 4) or shape[0] in (3, 4)):
        raise InputError(
            f"{expected}. For a single image add an axis: array[None]; for gray images: "
            "array[..., None]."
        )
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


def _to_content(image: Any, *, what: str) -> bytes | NDArray[np.uint8]:
    """One item of an iterable, as encoded bytes or uint8 pixels."""
    if isinstance(image, bytes | bytearray | memoryview):
        return bytes(image)
    if isinstance(image, Image.Image):
        return image_to_rgb(image, name=what)
    if is_array_like(image):
        return np.ascontiguousarray(as_pixels(as_array(image, role=what)[None], where=what)[0])
    raise InputError(
        f"{what}: expected a Pillow image, an array or encoded bytes, got {type(image).__name__}"
    )
