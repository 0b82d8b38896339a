"""Image files that were named one by one."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

from genmem.errors import InputError, UsageError, os_reason
from genmem.formatting import printable
from genmem.images.filenames import IMAGE_SUFFIXES
from genmem.images.limits import MAX_IMAGE_BYTES, too_large_error
from genmem.images.source import ImageSource

_SUFFIXES = tuple(f".{suffix}" for suffix in IMAGE_SUFFIXES.split())


class FilesSource(ImageSource):
    """Image files that were named one by one; their ids are the names as they were given."""

    def __init__(self, paths: Sequence[Path]) -> None:
        """Use the files, at least one.

        Raises:
            UsageError: one is missing, or no image file.
        """
        for path in paths:
            if not is_image_file(path):
                missing = "" if path.exists() else "there is no such file. "
                raise UsageError(
                    f"{path}: {missing}Expected image files, or one folder, archive or other set "
                    "of images."
                )
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


def is_image_file(path: Path) -> bool:
    """Whether there is a file of that name, which is one of an image."""
    return path.name.lower().endswith(_SUFFIXES) and path.is_file()


def as_paths(source: object) -> list[Path]:
    """The paths of a list or tuple of paths; empty for anything else."""
    if isinstance(source, list | tuple) and all(
        isinstance(item, str | os.PathLike) for item in source
    ):
        return [Path(item) for item in source]
    return []
