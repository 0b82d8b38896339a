"""A zip of generated images."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

from PIL import Image

from genmem.cheats.mixing import Pixels
from genmem.images import Progress
from genmem.io.atomic import atomic_write

_DATE = (1980, 1, 1, 0, 0, 0)
"""Of every entry, so that the archive does not depend on the day."""


def write_images(images: Pixels, path: str | Path, *, progress: Progress | None = None) -> None:
    """Write images as 000000.png, 000001.png, … into a zip, whole or not at all.

    Args:
        images: uint8 [n, H, W, 3].
        path: the file.
        progress: told how many are written.

    Raises:
        UsageError: the file cannot be written.
    """
    with atomic_write(path) as file, zipfile.ZipFile(file, "w") as archive:
        for number, pixels in enumerate(images):
            buffer = io.BytesIO()
            Image.fromarray(pixels).save(buffer, format="PNG")
            entry = zipfile.ZipInfo(f"{number:06d}.png", date_time=_DATE)
            archive.writestr(entry, buffer.getvalue())
            if progress:
                progress("writing images", number + 1, len(images))
