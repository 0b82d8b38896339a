"""The images of a query: files, or one set of images of any kind; few of them."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from genmem.arrays import is_array_like
from genmem.errors import InputError, UsageError, os_reason
from genmem.formatting import printable
from genmem.images import ArraySource, ImageSource, open_images
from genmem.images.filenames import IMAGE_SUFFIXES
from genmem.images.limits import MAX_IMAGE_BYTES, too_large_error

MOST = 1_000
"""Images of one query. Questions on more are those of an audit, which corrects for their number."""

_SUFFIXES = tuple(f".{suffix}" for suffix in IMAGE_SUFFIXES.split())


class FilesSource(ImageSource):
    """Image files that were named one by one; their ids are the names as they were given."""

    def __init__(self, paths: Sequence[Path]) -> None:
        self._paths = paths
        self.name = printable(paths[0].name) if len(paths) == 1 else f"{len(paths):,} files"
        self.where = self.name

    def __len__(self) -> int:
        return len(self._paths)

    def id(self, position: int) -> str:
        """The file's name as it was given."""
        return printable(str(self._paths[position]))

    def describe(self, position: int) -> str:
        """The file."""
        return self.id(position)

    def content(self, position: int) -> bytes:
        """The file's bytes."""
        path = self._paths[position]
        try:
            if (size := path.stat().st_size) > MAX_IMAGE_BYTES:
                raise too_large_error(size, what=self.id(position))
            return path.read_bytes()
        except OSError as error:
            raise InputError(f"{self.id(position)}: cannot be read: {os_reason(error)}.") from error


def open_queries(images: Any) -> ImageSource:
    """Open the images of a query.

    Args:
        images: a path of an image file, several of them, or whatever `open_images` takes.

    Raises:
        InputError: there is no such file, no image, or more than `MOST`.
        UsageError: several paths of which one is no image file.
    """
    source = _open(images)
    if len(source) > MOST:
        number = len(source)
        source.close()
        raise InputError(
            f"a query is for few images, at most {MOST:,}; got {number:,}. Use `genmem audit` for "
            "more: it corrects for their number."
        )
    return source


def _open(images: Any) -> ImageSource:
    if isinstance(images, str | os.PathLike):
        images = [images]
    if is_array_like(images):
        return ArraySource(images, name="array", where="images")
    if not (
        isinstance(images, list | tuple)
        and images
        and all(isinstance(image, str | os.PathLike) for image in images)
    ):
        return open_images(images)
    paths = [Path(image) for image in images]
    if all(_is_image_file(path) for path in paths):
        return FilesSource(paths)
    if len(paths) > 1:
        other = next(path for path in paths if not _is_image_file(path))
        missing = "" if other.exists() else "there is no such file. "
        raise UsageError(
            f"{other}: {missing}Expected image files, or one folder, archive or other set of "
            "images."
        )
    return open_images(images[0])


def _is_image_file(path: Path) -> bool:
    return path.name.lower().endswith(_SUFFIXES) and path.is_file()
