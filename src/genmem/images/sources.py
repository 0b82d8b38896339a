"""The door: whatever holds images → an `ImageSource`."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from genmem.errors import InputError
from genmem.images.archives import is_archive, open_archive
from genmem.images.arrays import ArraySource, IterableSource, is_array, open_array_file
from genmem.images.folder import FolderSource
from genmem.images.parquet import ParquetSource
from genmem.images.source import ImageSource

ACCEPTED_SOURCES = (
    "a folder, .zip, .tar (.gz, .bz2, .xz), .parquet, .npy, .npz or hf:DATASET[:split]"
)
"""What a source given as text may be."""


def open_images(source: str | os.PathLike[str] | Iterable[Any] | ImageSource) -> ImageSource:
    """Open a source of images. Only its index is read here, no image.

    Args:
        source: one of

            - a folder (recursive), .zip, .tar (also .tar.gz, .tgz, .tar.bz2, .tar.xz): image files,
              in order of their paths; equal files give equal order and digest in any of these;
            - a .parquet file with a column of encoded images (`parquet`);
            - a .npy or .npz file with uint8 pixels [N, H, W, C], or gray [N, H, W];
            - `hf:DATASET[:split]`, a data set on the Hugging Face hub (`hub`);
            - a NumPy array or torch tensor of the same shapes;
            - any other iterable of Pillow images, arrays [H, W, C] or [H, W], or encoded images as
              bytes; they may be mixed. It is consumed at once, into a temporary file;
            - an `ImageSource`, which is returned as it is.

    Raises:
        InputError: there is no such thing, it cannot be read, holds no image, or is refused as
            unsafe (see `archives`, `limits`).
    """
    if isinstance(source, ImageSource):
        return source
    if isinstance(source, str) and source.startswith("hf:"):
        from genmem.images.hub import open_hub  # loads an HTTP client

        return open_hub(source)
    if isinstance(source, str | os.PathLike):
        try:
            return _open_path(Path(source))
        except OSError as error:
            raise InputError(f"{source}: cannot be read: {error.strerror}") from error
    if is_array(source):
        return ArraySource(source, name="array", where="the array")
    if isinstance(source, Iterable) and not isinstance(source, bytes):
        return IterableSource(source)
    raise InputError(
        f"images: expected {ACCEPTED_SOURCES}, an array or an iterable of images, got "
        f"{type(source).__name__}"
    )


def _open_path(path: Path) -> ImageSource:
    if path.is_dir():
        return FolderSource(path)
    if not path.exists():
        raise InputError(f"{path}: there is no such file or folder. Expected {ACCEPTED_SOURCES}")
    if is_archive(path):
        return open_archive(path)
    if path.suffix.lower() == ".parquet":
        return ParquetSource([path], name=path.name, where=str(path))
    if path.suffix.lower() in (".npy", ".npz"):
        return open_array_file(path)
    raise InputError(
        f"{path}: expected {ACCEPTED_SOURCES}. For single images, give the folder they are in"
    )
