"""The disguises by name."""

from __future__ import annotations

from collections.abc import Callable
from zlib import crc32

import numpy as np

from genmem.errors import InputError, UsageError
from genmem.images.disguises import composites, geometry, values
from genmem.images.disguises.values import Pixels, Rng

Disguise = Callable[[Pixels, Pixels, Rng], Pixels]
"""The image, another image to combine it with, and random numbers → the disguised image."""


def _flip_crop_encode(image: Pixels, other: Pixels, rng: Rng) -> Pixels:
    part = geometry.crop(geometry.flip(image), rng, side=0.8)
    return values.encode(part, codec="JPEG", quality=50)


DISGUISES: dict[str, Disguise] = {
    "JPEG 90": lambda image, other, rng: values.encode(image, codec="JPEG", quality=90),
    "JPEG 50": lambda image, other, rng: values.encode(image, codec="JPEG", quality=50),
    "JPEG 20": lambda image, other, rng: values.encode(image, codec="JPEG", quality=20),
    "WebP 30": lambda image, other, rng: values.encode(image, codec="WEBP", quality=30),
    "resized to half": lambda image, other, rng: values.shrink(image, side=max(image.shape)),
    "resized to 96 px": lambda image, other, rng: values.shrink(image, side=96),
    "gamma 0.6": lambda image, other, rng: values.change_gamma(image, gamma=0.6),
    "gamma 1.7": lambda image, other, rng: values.change_gamma(image, gamma=1.7),
    "color jitter": lambda image, other, rng: values.jitter_color(image, rng, strength=0.3),
    "hue": lambda image, other, rng: values.turn_hue(image, degrees=60),
    "gray": lambda image, other, rng: values.gray(image),
    "sepia": lambda image, other, rng: values.sepia(image),
    "inverted": lambda image, other, rng: values.invert(image),
    "equalized": lambda image, other, rng: values.equalize(image),
    "blur, light": lambda image, other, rng: values.blur(image, share=0.006),
    "blur, strong": lambda image, other, rng: values.blur(image, share=0.015),
    "sharpened": lambda image, other, rng: values.sharpen(image),
    "noise, light": lambda image, other, rng: values.add_noise(image, rng, deviation=10),
    "noise, strong": lambda image, other, rng: values.add_noise(image, rng, deviation=30),
    "mosaic": lambda image, other, rng: values.mosaic(image, share=0.02),
    "posterized": lambda image, other, rng: values.posterize(image, bits=2),
    "stylized": lambda image, other, rng: values.stylize(image),
    "flip": lambda image, other, rng: geometry.flip(image),
    "rotate 5": lambda image, other, rng: geometry.rotate(image, degrees=5),
    "rotate 15": lambda image, other, rng: geometry.rotate(image, degrees=15),
    "rotate 90": lambda image, other, rng: geometry.turn(image, quarters=1),
    "rotate 180": lambda image, other, rng: geometry.turn(image, quarters=2),
    "crop 80 %": lambda image, other, rng: geometry.crop(image, rng, side=0.8),
    "crop 60 %, center": lambda image, other, rng: geometry.crop(image, None, side=0.6),
    "crop 60 %, anywhere": lambda image, other, rng: geometry.crop(image, rng, side=0.6),
    "crop 40 %": lambda image, other, rng: geometry.crop(image, rng, side=0.4),
    "aspect": lambda image, other, rng: geometry.squeeze(image, width=0.75),
    "letterbox": lambda image, other, rng: geometry.letterbox(image, side=0.7),
    "frame": lambda image, other, rng: geometry.frame(image, rng, side=0.85),
    "perspective": lambda image, other, rng: geometry.tilt(image, rng, strength=0.15),
    "screenshot": lambda image, other, rng: geometry.screenshot(image),
    "flip, crop, JPEG": _flip_crop_encode,
    "meme": lambda image, other, rng: composites.add_captions(image, rng, height=0.14),
    "text": lambda image, other, rng: composites.add_text(image, rng, lines=2, height=0.12),
    "text, much": lambda image, other, rng: composites.add_text(image, rng, lines=4, height=0.14),
    "sticker": lambda image, other, rng: composites.add_sticker(image, rng, side=0.35),
    "watermark": lambda image, other, rng: composites.add_watermark(image, opacity=0.35),
    "blend 90/10": lambda image, other, rng: composites.blend(image, other, share=0.9),
    "blend 50/50": lambda image, other, rng: composites.blend(image, other, share=0.5),
    "half and half": lambda image, other, rng: composites.join_halves(image, other),
    "cut-out": lambda image, other, rng: composites.cut_out(image, other, rng, side=0.7),
    "pasted at 70 %": lambda image, other, rng: composites.paste(image, other, rng, side=0.7),
    "pasted at 50 %": lambda image, other, rng: composites.paste(image, other, rng, side=0.5),
    "collage of two": lambda image, other, rng: composites.collage(image, other, rng, columns=1),
    "collage of four": lambda image, other, rng: composites.collage(image, other, rng, columns=2),
}
"""Disguises of copied images by name. Crops are by the share of both sides that is left."""


SMALLEST_SIDE = 8
"""Pixels: smaller images have no room for frames and text."""


def apply_disguise(name: str, image: Pixels, *, other: Pixels, seed: int) -> Pixels:
    """One image in one disguise; the same arguments give the same pixels.

    Args:
        name: one of `DISGUISES`.
        image: uint8 [H, W, 3], sides of at least 8 pixels; it is not changed.
        other: uint8 [H′, W′, 3], another image, for disguises that combine two.
        seed: of the disguise's random numbers, at least 0.

    Returns:
        uint8 of the image's shape, or [W, H, 3] after a quarter turn.

    Raises:
        InputError: the image is smaller.
        UsageError: an unknown name.
    """
    if name not in DISGUISES:
        raise UsageError(f"disguise: expected one of {', '.join(DISGUISES)}, got {name!r}.")
    if min(image.shape[:2]) < SMALLEST_SIDE:
        raise InputError(
            f"disguise: expected sides of at least {SMALLEST_SIDE} pixels, got "
            f"{image.shape[1]} × {image.shape[0]}."
        )
    rng = np.random.default_rng([seed, crc32(name.encode())])
    return DISGUISES[name](image, other, rng)
