"""Thumbnails of an audit's images, for visual inspection."""

from __future__ import annotations

import io
from contextlib import ExitStack
from dataclasses import dataclass

from genmem.scoring.closest import row_image
from genmem.scoring.feature_sets import FeatureSet

LOSSLESS_SIDE = 64
"""Images up to this size in pixels are stored losslessly: single pixels matter there."""

_QUALITY = 90


@dataclass(frozen=True)
class SourceThumbnails:
    """Thumbnails that are read from the image sources on demand.

    Attributes:
        by_role: the sets; sets of features have no images.
        open_files: the sources' files, closed by `close`.
    """

    by_role: dict[str, FeatureSet]
    open_files: ExitStack

    def generated(self, row: int) -> bytes | None:
        """A generated image, PNG or WebP."""
        return _thumbnail(self.by_role["generated"], row)

    def train(self, row: int) -> bytes | None:
        """A training image, untransformed, PNG or WebP."""
        return _thumbnail(self.by_role["train"], row)

    def test(self, row: int) -> bytes | None:
        """A held-out image, PNG or WebP; None where there are none."""
        return _thumbnail(self.by_role["test"], row) if "test" in self.by_role else None

    def close(self) -> None:
        """Close the files; no image can be read afterwards."""
        self.open_files.close()


def _thumbnail(features: FeatureSet, row: int) -> bytes | None:
    image = row_image(features, row)
    if image is None:
        return None
    buffer = io.BytesIO()
    if max(image.size) <= LOSSLESS_SIDE:
        image.save(buffer, format="PNG")
    else:
        image.save(buffer, format="WEBP", quality=_QUALITY)
    return buffer.getvalue()
