"""How much one zip may ask of this machine."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class ZipLimits:
    """Bounds on a submitted zip.

    Attributes:
        zip_bytes: of the file itself.
        image_bytes: of one image, uncompressed from the zip (still PNG, JPEG, …).
        index_bytes: of the zip's list of files, so that a zip of millions of empty files is
            refused before that list is read.
    """

    zip_bytes: int
    image_bytes: int
    index_bytes: int


def limits_for(*, count: int, width: int, height: int, zip_bytes: int) -> ZipLimits:
    """Limits no honest submission meets: 16 bytes a pixel and 64 KiB for what else is in a file.

    Args:
        count: how many images the competition asks for.
        width: of each, in pixels.
        height: of each, in pixels.
        zip_bytes: the largest upload it takes.
    """
    return ZipLimits(
        zip_bytes=zip_bytes,
        image_bytes=16 * width * height + 2**16,
        index_bytes=2**20 + 1024 * count,
    )
