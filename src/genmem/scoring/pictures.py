"""The image behind a row of features, for a person to look at."""

from __future__ import annotations

from PIL import Image

from genmem.images import decode
from genmem.scoring.inputs import Rows

MAXIMUM_SIDE = 256
"""Pixels; larger images are shown reduced to it."""


def picture_of(rows: Rows, row: int) -> Image.Image | None:
    """The image of a row, at most MAXIMUM_SIDE on a side; None where the set came as features."""
    if rows.source is None:
        return None
    position = int(rows.positions[row])
    pixels = decode(rows.source.content(position), name=rows.source.describe(position))
    image = Image.fromarray(pixels)
    image.thumbnail((MAXIMUM_SIDE, MAXIMUM_SIDE))
    return image
