"""Iterables of images: what data sets, loaders, samplers and lists yield, copied to a file once.

An item may be

- an image: a Pillow image, an array or tensor [H, W, C], [C, H, W] or [H, W], an encoded file as
  bytes, or the path of an image file;
- a batch of images: an array or tensor [n, H, W, C] or [n, C, H, W], or a list of Pillow images or
  of arrays;
- a tuple, or what a loader makes of one, that begins with either: (image, label);
- a dictionary with either under one of `KEYS`.
"""

from __future__ import annotations

import os
from array import array
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from genmem.arrays import as_array, is_array_like
from genmem.errors import InputError, os_reason
from genmem.images.arrays import ValueRange, as_pixels, to_uint8
from genmem.images.decode import image_to_rgb
from genmem.images.limits import MAX_IMAGE_BYTES, too_large_error
from genmem.images.source import ImageSource, Progress, number_id
from genmem.images.tempfiles import SharedFile, new_tempfile
from genmem.io.paths import temporary_file_errors

KEYS = ("image", "images", "pixel_values", "img")
"""Where a dictionary holds its image or batch."""

Content = bytes | NDArray[np.uint8]


class IterableSource(ImageSource):
    """Images from an iterable, copied into an unnamed temporary file.

    Encoded images are stored unchanged, Pillow images and arrays as pixels.
    """

    name = "iterable"

    def __init__(
        self,
        items: Iterable[Any],
        *,
        where: str = "the iterable",
        value_range: ValueRange | None = None,
        progress: Progress | None = None,
    ) -> None:
        """Read all items.

        Args:
            items: see the top of this file.
            where: what it is, for messages.
            value_range: the values of black and white in floating-point images.
            progress: told how many images came.
        """
        self.where = where
        file = new_tempfile()
        try:
            ends, shapes = array("q", [0]), array("q")
            for position, item in enumerate(items):
                what = f"item {position} of {where}"
                for content in read_item(item, what=what, value_range=value_range):
                    with temporary_file_errors():
                        file.write(content if isinstance(content, bytes) else content.tobytes())
                    ends.append(file.tell())
                    shape = () if isinstance(content, bytes) else content.shape
                    shapes.extend((*shape, 0, 0, 0)[:3])
                if progress is not None:
                    progress(f"{where}: images read", len(ends) - 1, None)
            with temporary_file_errors():
                file.flush()
            if len(ends) == 1:
                raise InputError(f"{where}: expected at least one image, but it was empty.")
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


def is_item(value: object) -> bool:
    """Whether a value that could be iterated is one item: a dictionary, or a batch with labels."""
    if isinstance(value, Mapping):
        return True
    if not isinstance(value, tuple | list) or len(value) < 2:
        return False
    first, *others = value
    return _dimensions(first) == 4 and not any(_dimensions(other) in (3, 4) for other in others)


def read_item(item: Any, *, what: str, value_range: ValueRange | None) -> Iterator[Content]:
    """The images of one item, as encoded bytes or uint8 pixels.

    Args:
        item: see the top of this file.
        what: what it is, for messages.
        value_range: the values of black and white in floating-point images.

    Raises:
        InputError: it is no such item.
    """
    if isinstance(item, bytes | bytearray | memoryview):
        yield bytes(item)
    elif isinstance(item, Image.Image):
        yield image_to_rgb(item, name=what)
    elif isinstance(item, str | os.PathLike):
        yield _read_file(Path(item), what)
    elif isinstance(item, Mapping):
        yield from read_item(_value_of(item, what), what=what, value_range=value_range)
    elif isinstance(item, tuple | list) and item:
        parts = item if _is_list_of_images(item) else item[:1]
        if isinstance(parts[0], tuple | list):
            raise InputError(
                f"{what}: expected an image or a batch of images, got a {type(item).__name__} of "
                f"{type(parts[0]).__name__}s. Give arrays: numpy.array(item, dtype='uint8')."
            )
        for part in parts:
            yield from read_item(part, what=what, value_range=value_range)
    elif is_array_like(item):
        pixels = as_array(item, role=what)
        batch = pixels if pixels.ndim == 4 else pixels[None]
        for image in as_pixels(batch, where=what, value_range=value_range):
            yield np.ascontiguousarray(to_uint8(image, value_range))
    else:
        raise InputError(
            f"{what}: expected a Pillow image, an array, a path, encoded bytes, or a tuple or "
            f"dictionary with one of them, got {_describe(item)}."
        )


def _dimensions(value: object) -> int | None:
    """The dimensions of an array or tensor; None of anything else."""
    return getattr(value, "ndim", None) if is_array_like(value) else None


def _is_list_of_images(item: tuple[Any, ...] | list[Any]) -> bool:
    """Whether a list holds nothing but images, of which a tuple holds the first alone."""
    return isinstance(item, list) and (
        all(isinstance(part, Image.Image) for part in item)
        or all(_dimensions(part) == 3 for part in item)
    )


def _value_of(item: Mapping[Any, Any], what: str) -> Any:
    """The image or batch in a dictionary, also in one of `datasets` that was not decoded."""
    names = [key for key in KEYS if key in item]
    if len(names) == 1:
        return item[names[0]]
    for key in ("bytes", "path"):
        if item.get(key) is not None and set(item) <= {"bytes", "path"}:
            return item[key]
    raise InputError(
        f"{what}: expected a dictionary with one of {', '.join(KEYS)}, got one with "
        f"{', '.join(map(str, item))[:120] or 'nothing'}."
    )


def _read_file(path: Path, what: str) -> bytes:
    try:
        if (size := path.stat().st_size) > MAX_IMAGE_BYTES:
            raise too_large_error(size, what=str(path))
        return path.read_bytes()
    except OSError as error:
        raise InputError(f"{what}: {path} cannot be read: {os_reason(error)}.") from error


def _describe(item: Any) -> str:
    return f"an empty {type(item).__name__}" if item in ((), []) else type(item).__name__
