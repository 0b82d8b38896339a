"""Small pictures on a terminal with colors: two pixels a character, one above the other."""

from __future__ import annotations

import io
from collections.abc import Sequence

import numpy as np
from PIL import Image
from rich.style import Style
from rich.text import Text

UPPER_HALF = "▀"


def as_blocks(pictures: Sequence[bytes], *, side: int) -> Text:
    """Pictures side by side, each `side` × `side` pixels, as text.

    Args:
        pictures: encoded images (PNG, JPEG, …).
        side: an even number of pixels.

    Returns:
        side / 2 lines of side + 1 characters a picture: half blocks whose foreground is the upper
        pixel and whose background the lower one.
    """
    pixels = [
        np.asarray(Image.open(io.BytesIO(picture)).convert("RGB").resize((side, side)))
        for picture in pictures
    ]
    text = Text()
    for row in range(0, side, 2):
        for picture in pixels:
            for upper, lower in zip(picture[row], picture[row + 1], strict=True):
                text.append(UPPER_HALF, Style(color=_color(upper), bgcolor=_color(lower)))
            text.append(" ")
        text.append("\n")
    return text


def _color(pixel: np.ndarray) -> str:
    return "#{:02x}{:02x}{:02x}".format(*pixel.tolist())
