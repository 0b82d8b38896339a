"""Pictures of an audit's images, at the sizes in which people look at them."""

from __future__ import annotations

import io
from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np
import simplejpeg
from PIL import Image

from genmem.scoring.closest import row_image
from genmem.scoring.feature_sets import FeatureSet

THUMBNAIL_SIDE = 320
"""The longer side in pixels of the picture of a larger image."""

FULL_SIDE = 1_600
"""The longer side in pixels at which a large image fills a screen."""

LOSSLESS_SIDE = 64
"""Images up to this size in pixels are stored losslessly: single pixels matter there."""

_REDUCED = (88, "420")
_WHOLE = (95, "444")
"""JPEG's quality and chroma sampling, for reduced images and for whole ones."""


@dataclass(frozen=True)
class SourceThumbnails:
    """Pictures that are read from the image sources on demand. Thread-safe.

    Attributes:
        by_role: the sets; sets of features have no images.
        open_files: the sources' files, closed by `close`.
    """

    by_role: dict[str, FeatureSet]
    open_files: ExitStack

    def generated(self, row: int, size: int | None = None) -> bytes | None:
        """A generated image, PNG or JPEG; see `Thumbnails`."""
        return _picture(self.by_role["generated"], row, size)

    def train(self, row: int, size: int | None = None) -> bytes | None:
        """A training image, untransformed, PNG or JPEG; see `Thumbnails`."""
        return _picture(self.by_role["train"], row, size)

    def test(self, row: int, size: int | None = None) -> bytes | None:
        """A held-out image, PNG or JPEG; None where there are none; see `Thumbnails`."""
        return _picture(self.by_role["test"], row, size) if "test" in self.by_role else None

    def close(self) -> None:
        """Close the files; no image can be read afterwards."""
        self.open_files.close()


def _picture(features: FeatureSet, row: int, size: int | None) -> bytes | None:
    image = row_image(features, row, largest_side=None)
    return None if image is None else encode_picture(image, size or THUMBNAIL_SIDE)


def encode_picture(image: Image.Image, size: int) -> bytes:
    """An image as a file for a page: PNG up to `LOSSLESS_SIDE`, JPEG above it.

    It holds the pixels alone, as `decode` gives them: no orientation, profile or place. An image
    that is not reduced gives the same bytes at any size.

    Args:
        image: RGB.
        size: the longer side is reduced to it where it is longer, in pixels.
    """
    if max(image.size) <= LOSSLESS_SIDE:
        buffer = io.BytesIO()
        image.save(buffer, format="PNG")
        return buffer.getvalue()
    quality, sampling = _WHOLE
    if max(image.size) > size:
        quality, sampling = _REDUCED if size <= THUMBNAIL_SIDE else _WHOLE
        image.thumbnail((size, size), Image.Resampling.HAMMING)  # twice as fast as bicubic
    pixels = np.ascontiguousarray(np.asarray(image))
    return simplejpeg.encode_jpeg(pixels, quality=quality, colorsubsampling=sampling, fastdct=False)
