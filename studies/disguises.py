"""What is done to copies of 32 × 32 pictures so that they are not recognized.

The disguises of photographs are in `genmem.images.disguises`; these are weaker, or in pixels.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from genmem.images.disguises import Disguise
from genmem.images.disguises.composites import blend
from genmem.images.disguises.geometry import crop, flip, rotate
from genmem.images.disguises.values import Pixels, add_noise, encode, enhance, gray


def _shifted(image: Pixels, other: Pixels, rng: np.random.Generator) -> Pixels:
    return np.concatenate([image[:, :1], image[:, :-1]], axis=1)


DISGUISES: dict[str, Disguise] = {
    "JPEG 90": lambda image, other, rng: encode(image, codec="JPEG", quality=90),
    "JPEG 50": lambda image, other, rng: encode(image, codec="JPEG", quality=50),
    "noise σ = 8": lambda image, other, rng: add_noise(image, rng, deviation=8),
    "flip": lambda image, other, rng: flip(image),
    "10 % crop, centre": lambda image, other, rng: crop(image, None, side=0.9),
    "10 % crop, anywhere": lambda image, other, rng: crop(image, rng, side=0.9),
    "20 % crop, centre": lambda image, other, rng: crop(image, None, side=0.8),
    "20 % crop, anywhere": lambda image, other, rng: crop(image, rng, side=0.8),
    "shift by one pixel": _shifted,
    "90/10 blend": lambda image, other, rng: blend(image, other, share=0.9),
    "50/50 blend": lambda image, other, rng: blend(image, other, share=0.5),
    "rotation by 3°": lambda image, other, rng: rotate(image, degrees=3),
    "rotation by 10°": lambda image, other, rng: rotate(image, degrees=10),
    "brightness × 1.2": lambda image, other, rng: enhance(image, brightness=1.2),
    "contrast × 0.7": lambda image, other, rng: enhance(image, contrast=0.7),
    "color × 0.5": lambda image, other, rng: enhance(image, color=0.5),
    "gray": lambda image, other, rng: gray(image),
}


def disguised(
    name: str, images: NDArray[np.uint8], others: NDArray[np.uint8], *, seed: int
) -> NDArray[np.uint8]:
    """All images in one disguise, uint8 [n, H, W, 3]; blends mix with `others`, row by row."""
    rng = np.random.default_rng(seed)
    disguise = DISGUISES[name]
    return np.stack([disguise(a, b, rng) for a, b in zip(images, others, strict=True)])
