"""The images of a query: files, or one set of images of any kind; few of them."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from PIL import Image

from genmem.errors import InputError
from genmem.images import ImageSource, ValueRange, open_images
from genmem.images.files import FilesSource, as_paths, is_image_file

MOST = 1_000
"""Images of one query. Questions on more are those of an audit, which corrects for their number."""


def open_queries(images: Any, *, value_range: ValueRange | None = None) -> ImageSource:
    """Open the images of a query.

    Args:
        images: a path of an image file, a Pillow image, or whatever `open_images` takes.
        value_range: as for `open_images`.

    Raises:
        InputError: there is no such file, no image, or more than `MOST`.
        UsageError: several paths of which one is no image file.
    """
    source = _open(images, value_range)
    if len(source) > MOST:
        number = len(source)
        source.close()
        raise InputError(
            f"a query is for few images, at most {MOST:,}; got {number:,}. Use `genmem audit` for "
            "more: it corrects for their number."
        )
    return source


def _open(images: Any, value_range: ValueRange | None) -> ImageSource:
    if isinstance(images, Image.Image):
        images = [images]
    is_path = isinstance(images, str | os.PathLike)
    if is_path and is_image_file(Path(images)):
        return FilesSource([Path(images)])
    paths = as_paths(images)
    one_set = len(paths) == 1 and not is_image_file(paths[0])
    return open_images(paths[0] if one_set else images, value_range=value_range, role="images")
