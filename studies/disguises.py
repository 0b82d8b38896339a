"""What is done to copies so that they are not recognized: uint8 [H, W, 3] → the same shape.

Written independently of `genmem.images.augmentations`: crops here are enlarged bilinearly, from
whole pixels, since a cheat does not use the auditor's code.
"""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageEnhance

Pixels = NDArray[np.uint8]
Disguise = Callable[[Pixels, Pixels, np.random.Generator], Pixels]
"""The image, another training image to blend with, and chance → the disguised image."""


def _saved(quality: int) -> Disguise:
    def disguise(image: Pixels, other: Pixels, rng: np.random.Generator) -> Pixels:
        file = io.BytesIO()
        Image.fromarray(image).save(file, format="JPEG", quality=quality)
        return np.asarray(Image.open(file).convert("RGB"))

    return disguise


def _flipped(image: Pixels, other: Pixels, rng: np.random.Generator) -> Pixels:
    return np.ascontiguousarray(image[:, ::-1])


def _cropped(share: float, *, centre: bool) -> Disguise:
    def disguise(image: Pixels, other: Pixels, rng: np.random.Generator) -> Pixels:
        height, width = image.shape[:2]
        high, wide = round(height * (1 - share)), round(width * (1 - share))
        top, left = (height - high) // 2, (width - wide) // 2
        if not centre:
            top, left = int(rng.integers(height - high + 1)), int(rng.integers(width - wide + 1))
        part = Image.fromarray(image[top : top + high, left : left + wide])
        return np.asarray(part.resize((width, height), Image.Resampling.BILINEAR))

    return disguise


def _shifted(image: Pixels, other: Pixels, rng: np.random.Generator) -> Pixels:
    return np.concatenate([image[:, :1], image[:, :-1]], axis=1)


def _noisy(deviation: float) -> Disguise:
    def disguise(image: Pixels, other: Pixels, rng: np.random.Generator) -> Pixels:
        noisy = image + rng.normal(0, deviation, image.shape)
        return np.clip(np.rint(noisy), 0, 255).astype(np.uint8)

    return disguise


def _blended(share: float) -> Disguise:
    def disguise(image: Pixels, other: Pixels, rng: np.random.Generator) -> Pixels:
        mixed = share * image.astype(np.float64) + (1 - share) * other
        return np.rint(mixed).astype(np.uint8)

    return disguise


def _rotated(degrees: float) -> Disguise:
    def disguise(image: Pixels, other: Pixels, rng: np.random.Generator) -> Pixels:
        height, width = image.shape[:2]
        padded = Image.fromarray(np.pad(image, ((height,) * 2, (width,) * 2, (0, 0)), "reflect"))
        turned = padded.rotate(degrees, resample=Image.Resampling.BILINEAR)
        return np.asarray(turned.crop((width, height, 2 * width, 2 * height)))

    return disguise


def _enhanced(kind: Callable[[Image.Image], ImageEnhance._Enhance], factor: float) -> Disguise:
    def disguise(image: Pixels, other: Pixels, rng: np.random.Generator) -> Pixels:
        return np.asarray(kind(Image.fromarray(image)).enhance(factor))

    return disguise


def _gray(image: Pixels, other: Pixels, rng: np.random.Generator) -> Pixels:
    return np.asarray(Image.fromarray(image).convert("L").convert("RGB"))


DISGUISES: dict[str, Disguise] = {
    "JPEG 90": _saved(90),
    "JPEG 50": _saved(50),
    "noise σ = 8": _noisy(8),
    "flip": _flipped,
    "10 % crop, centre": _cropped(0.1, centre=True),
    "10 % crop, anywhere": _cropped(0.1, centre=False),
    "20 % crop, centre": _cropped(0.2, centre=True),
    "20 % crop, anywhere": _cropped(0.2, centre=False),
    "shift by one pixel": _shifted,
    "90/10 blend": _blended(0.9),
    "50/50 blend": _blended(0.5),
    "rotation by 3°": _rotated(3),
    "rotation by 10°": _rotated(10),
    "brightness × 1.2": _enhanced(ImageEnhance.Brightness, 1.2),
    "contrast × 0.7": _enhanced(ImageEnhance.Contrast, 0.7),
    "color × 0.5": _enhanced(ImageEnhance.Color, 0.5),
    "gray": _gray,
}


def disguised(
    name: str, images: NDArray[np.uint8], others: NDArray[np.uint8], *, seed: int
) -> NDArray[np.uint8]:
    """All images in one disguise, uint8 [n, H, W, 3]; blends mix with `others`, row by row."""
    rng = np.random.default_rng(seed)
    disguise = DISGUISES[name]
    return np.stack([disguise(a, b, rng) for a, b in zip(images, others, strict=True)])
