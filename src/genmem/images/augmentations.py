"""Augmentations of training images: flips and crops, which cheats use to hide copies.

These are the transformations of the competition's cheats (Bai et al., KDD 2021, Table 1, "AUG"). An
audit compares generated images with the training images unchanged and under each augmentation.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from genmem.errors import UsageError

CROP_SCALES = (0.9, 0.8)
"""Sides of the crops, as shares of the image's own."""

_CORNERS = {
    "centre": (0.5, 0.5),
    "top left": (0.0, 0.0),
    "top right": (1.0, 0.0),
    "bottom left": (0.0, 1.0),
    "bottom right": (1.0, 1.0),
}


@dataclass(frozen=True, kw_only=True)
class Augmentation:
    """One way to change an image without changing its size.

    Attributes:
        name: short and stable, part of cache keys and tables ("crop 0.9 centre").
        phrase: for use in a sentence ("cropped to 90 % (centre)"); empty for the unchanged image.
        mirrored: whether left and right are exchanged.
        box: the part that is cropped and enlarged: left, top, right, bottom as shares of the sides.
    """

    name: str
    phrase: str
    mirrored: bool = False
    box: tuple[float, float, float, float] = (0.0, 0.0, 1.0, 1.0)

    def apply(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """uint8 [H, W, 3] → the same shape; crops are whole pixels, enlarged bicubically."""
        if self.mirrored:
            pixels = np.ascontiguousarray(pixels[:, ::-1])
        if self.box == (0.0, 0.0, 1.0, 1.0):
            return pixels
        height, width = pixels.shape[:2]
        left, top, right, bottom = self.box
        wide, high = round((right - left) * width), round((bottom - top) * height)
        first, above = _start(left, right, width - wide), _start(top, bottom, height - high)
        part = Image.fromarray(pixels[above : above + high, first : first + wide])
        return np.asarray(part.resize((width, height), Image.Resampling.BICUBIC))


def _start(low: float, high: float, room: int) -> int:
    """The first pixel of a crop that leaves `room` pixels, rounded down as image libraries do."""
    left_over = low + 1 - high
    return int(room * low / left_over + 1e-9) if left_over > 0 else 0


IDENTITY = Augmentation(name="as is", phrase="")


def _crop(scale: float, place: str) -> Augmentation:
    across, down = _CORNERS[place]
    left, top = across * (1 - scale), down * (1 - scale)
    return Augmentation(
        name=f"crop {scale:g} {place}",
        phrase=f"cropped to {scale:.0%} ({place})".replace("%", " %"),
        box=(left, top, left + scale, top + scale),
    )


AUGMENTATIONS: dict[str, tuple[Augmentation, ...]] = {
    "flip": (Augmentation(name="flip", phrase="flipped", mirrored=True),),
    "crops": tuple(_crop(scale, place) for scale in CROP_SCALES for place in _CORNERS),
}
"""Groups of augmentations by the names of `--augment`. A new augmentation is an entry here."""


def parse_augmentations(groups: Sequence[str]) -> tuple[Augmentation, ...]:
    """The augmentations of these groups, after the unchanged image.

    Raises:
        UsageError: a group is unknown or named twice.
    """
    for name in groups:
        if name not in AUGMENTATIONS:
            raise UsageError(f"augment: expected some of {', '.join(AUGMENTATIONS)}, got {name!r}.")
    if len(set(groups)) < len(groups):
        raise UsageError(f"augment: expected each group once, got {', '.join(groups)}.")
    return (IDENTITY, *(augmentation for name in groups for augmentation in AUGMENTATIONS[name]))
