"""The images behind an audit's rows, for a person to look at."""

from __future__ import annotations

import io
from contextlib import ExitStack
from dataclasses import dataclass

from genmem.scoring.closest import row_image
from genmem.scoring.feature_sets import FeatureSet

LOSSLESS_SIDE = 64
"""Pixels; up to it every pixel is kept, since differences are looked at."""

_QUALITY = 90


@dataclass(frozen=True)
class SourcePictures:
    """Pictures read from the sources when they are asked for.

    Attributes:
        rows: by role; sets that came as features have no pictures.
        opened: the sources' files.
    """

    rows: dict[str, FeatureSet]
    opened: ExitStack

    def generated(self, row: int) -> bytes | None:
        """A generated image, PNG or WebP."""
        return _picture(self.rows["generated"], row)

    def train(self, row: int) -> bytes | None:
        """A training image, untransformed, PNG or WebP."""
        return _picture(self.rows["train"], row)

    def test(self, row: int) -> bytes | None:
        """A held-out image, PNG or WebP; None where there are none."""
        return _picture(self.rows["test"], row) if "test" in self.rows else None

    def close(self) -> None:
        """Release the files; no picture can be read afterwards."""
        self.opened.close()


def _picture(rows: FeatureSet, row: int) -> bytes | None:
    image = row_image(rows, row)
    if image is None:
        return None
    buffer = io.BytesIO()
    if max(image.size) <= LOSSLESS_SIDE:
        image.save(buffer, format="PNG")
    else:
        image.save(buffer, format="WEBP", quality=_QUALITY)
    return buffer.getvalue()
