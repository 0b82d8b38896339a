"""A submission: PNGs in a zip, the same bytes for the same images."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

from PIL import Image

from genmem.cheats.pixels import Pixels
from genmem.images import Progress
from genmem.report.files import written_whole

_DATE = (1980, 1, 1, 0, 0, 0)
"""Of every entry, so that the archive does not depend on the day."""


def write_images(images: Pixels, path: str | Path, *, progress: Progress | None = None) -> None:
    """Write images as 000000.png, 000001.png, … into a zip, one at a time, whole or not at all.

    Args:
        images: uint8 [n, H, W, 3].
        path: the file.
        progress: told how many are written.

    Raises:
        UsageError: the file cannot be written.
    """
    with written_whole(path) as file, zipfile.ZipFile(file, "w") as archive:
        for place, pixels in enumerate(images):
            buffer = io.BytesIO()
            Image.fromarray(pixels).save(buffer, format="PNG")
            entry = zipfile.ZipInfo(f"{place:06d}.png", date_time=_DATE)
            archive.writestr(entry, buffer.getvalue())
            if progress:
                progress("writing images", place + 1, len(images))
