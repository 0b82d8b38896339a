"""Augmentations of training images: flips, crops, rotations, gray, which hide copies.

Flips and crops are the transformations of the competition's cheats (Bai et al., KDD 2021, Table 1,
"AUG"). An audit compares generated images with the training images unchanged and under each
augmentation.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from genmem.errors import UsageError
from genmem.formatting import percent

CROP_SCALES = (0.9, 0.8)
"""Sides of the crops, as shares of the image's own."""

QUARTER_TURNS = (90, 180, 270)
"""Rotations without loss, in degrees counterclockwise."""

TILTS = (-15, -5, 5, 15)
"""Small rotations, in degrees counterclockwise."""

_CORNERS = {
    "centre": (0.5, 0.5),
    "top left": (0.0, 0.0),
    "top right": (1.0, 0.0),
    "bottom left": (0.0, 1.0),
    "bottom right": (1.0, 1.0),
}


@dataclass(frozen=True, kw_only=True)
class Augmentation:
    """One way to change an image: mirrored, then rotated, then cropped, then without color.

    Attributes:
        name: short and stable, part of cache keys and tables ("crop 0.9 centre").
        phrase: for use in a sentence ("cropped to 90 % (centre)"); empty for the unchanged image.
        mirrored: whether left and right are exchanged.
        degrees: rotation, counterclockwise. Multiples of 90 lose nothing, and those of a quarter
            exchange height and width; others keep the size, with the image reflected at its edges.
        box: the part that is cropped and enlarged: left, top, right, bottom as shares of the sides.
        gray: whether the color is taken away (ITU-R 601 luma, as in Pillow).
    """

    name: str
    phrase: str
    mirrored: bool = False
    degrees: float = 0.0
    box: tuple[float, float, float, float] = (0.0, 0.0, 1.0, 1.0)
    gray: bool = False

    def apply(self, pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """uint8 [H, W, 3] → the same shape, or [W, H, 3] after a quarter turn."""
        if self.mirrored:
            pixels = np.ascontiguousarray(pixels[:, ::-1])
        if self.degrees:
            pixels = _rotated(pixels, self.degrees)
        if self.box != (0.0, 0.0, 1.0, 1.0):
            pixels = _cropped(pixels, self.box)
        if self.gray:
            pixels = np.asarray(Image.fromarray(pixels).convert("L").convert("RGB"))
        return pixels


def _rotated(pixels: NDArray[np.uint8], degrees: float) -> NDArray[np.uint8]:
    """Rotated counterclockwise: whole quarters exactly, other angles bilinearly."""
    quarters, rest = divmod(degrees, 90)
    if not rest:
        return np.ascontiguousarray(np.rot90(pixels, int(quarters)))
    height, width = pixels.shape[:2]
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    beside = math.ceil((width * (abs(cosine) - 1) + height * abs(sine)) / 2) + 2
    below = math.ceil((height * (abs(cosine) - 1) + width * abs(sine)) / 2) + 2
    beside, below = max(beside, 2), max(below, 2)
    padded = np.pad(pixels, ((below, below), (beside, beside), (0, 0)), mode="symmetric")
    # Maps a place in the result to one in the padded image, around the middle of both.
    right = width / 2 + beside - cosine * width / 2 + sine * height / 2
    down = height / 2 + below - sine * width / 2 - cosine * height / 2
    turned = Image.fromarray(padded).transform(
        (width, height),
        Image.Transform.AFFINE,
        (cosine, -sine, right, sine, cosine, down),
        resample=Image.Resampling.BILINEAR,
    )
    return np.asarray(turned)


def _cropped(
    pixels: NDArray[np.uint8], box: tuple[float, float, float, float]
) -> NDArray[np.uint8]:
    """A part of whole pixels, enlarged bicubically to the image's size."""
    left, top, right, bottom = box
    height, width = pixels.shape[:2]
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
        phrase=f"cropped to {percent(scale)} ({place})",
        box=(left, top, left + scale, top + scale),
    )


def _rotation(degrees: int) -> Augmentation:
    side = "counterclockwise" if degrees > 0 else "clockwise"
    phrase = f"rotated by {abs(degrees)}°" + ("" if degrees == 180 else f" ({side})")
    return Augmentation(name=f"rotation {degrees}", phrase=phrase, degrees=degrees)


AUGMENTATIONS: dict[str, tuple[Augmentation, ...]] = {
    "flip": (Augmentation(name="flip", phrase="flipped", mirrored=True),),
    "vflip": (
        Augmentation(name="vflip", phrase="flipped upside down", mirrored=True, degrees=180),
    ),
    "crops": tuple(_crop(scale, place) for scale in CROP_SCALES for place in _CORNERS),
    "rotations": tuple(_rotation(degrees) for degrees in QUARTER_TURNS),
    "tilts": tuple(_rotation(degrees) for degrees in TILTS),
    "gray": (Augmentation(name="gray", phrase="without color", gray=True),),
}
"""Families of augmentations by the names of `--augment`. A new augmentation is an entry here."""

ALL = "all"
"""`--augment all`: every family."""


def parse_augmentations(groups: Sequence[str]) -> tuple[Augmentation, ...]:
    """The augmentations of these families, after the unchanged image.

    Raises:
        UsageError: a family is unknown or named twice.
    """
    for name in groups:
        if name not in AUGMENTATIONS:
            raise UsageError(
                f"augment: expected some of {', '.join(AUGMENTATIONS)}, or {ALL}, got {name!r}."
            )
    if len(set(groups)) < len(groups):
        raise UsageError(f"augment: expected each family once, got {', '.join(groups)}.")
    return (IDENTITY, *(augmentation for name in groups for augmentation in AUGMENTATIONS[name]))
