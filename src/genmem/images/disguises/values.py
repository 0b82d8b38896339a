"""Disguises that keep every pixel in its place: codecs, sizes, colors, blur, noise, filters."""

from __future__ import annotations

import colorsys
import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageEnhance, ImageFilter, ImageOps

Pixels = NDArray[np.uint8]
"""One image, uint8 [H, W, 3]."""

Rng = np.random.Generator


def encode(image: Pixels, *, codec: str, quality: int) -> Pixels:
    """Save with loss ("JPEG" or "WEBP", quality 1 to 100) and read again."""
    file = io.BytesIO()
    Image.fromarray(image).save(file, format=codec, quality=quality)
    return np.array(Image.open(file).convert("RGB"))


def shrink(image: Pixels, *, side: int) -> Pixels:
    """Resize to a longer side of `side` pixels and back; a smaller image to half its size."""
    height, width = image.shape[:2]
    scale = min(side / max(height, width), 0.5)
    small = resize(image, (round(width * scale), round(height * scale)))
    return resize(small, (width, height))


def resize(image: Pixels, size: tuple[int, int]) -> Pixels:
    """Resize bilinearly to (width, height), at least 1 each; averages where that is smaller."""
    size = (max(1, size[0]), max(1, size[1]))
    if size == (image.shape[1], image.shape[0]):
        return image
    return np.array(Image.fromarray(image).resize(size, Image.Resampling.BILINEAR))


def change_gamma(image: Pixels, *, gamma: float) -> Pixels:
    """255 · (v / 255)^gamma."""
    table = np.rint(255 * (np.arange(256) / 255) ** gamma).astype(np.uint8)
    return table[image]


def enhance(
    image: Pixels, *, brightness: float = 1.0, contrast: float = 1.0, color: float = 1.0
) -> Pixels:
    """Multiply brightness, contrast and saturation as Pillow's `ImageEnhance` does."""
    picture = ImageEnhance.Brightness(Image.fromarray(image)).enhance(brightness)
    picture = ImageEnhance.Contrast(picture).enhance(contrast)
    return np.array(ImageEnhance.Color(picture).enhance(color))


def jitter_color(image: Pixels, rng: Rng, *, strength: float) -> Pixels:
    """Brightness, contrast and saturation times factors drawn from 1 ± strength, and some hue."""
    brightness, contrast, color = rng.uniform(1 - strength, 1 + strength, 3).tolist()
    turned = turn_hue(image, degrees=float(rng.uniform(-strength, strength)) * 60)
    return enhance(turned, brightness=brightness, contrast=contrast, color=color)


def turn_hue(image: Pixels, *, degrees: float) -> Pixels:
    """Turn all hues by an angle."""
    hsv = np.array(Image.fromarray(image).convert("HSV"))
    hsv[..., 0] += np.uint8(round(degrees / 360 * 256) % 256)
    return np.array(Image.fromarray(hsv, mode="HSV").convert("RGB"))


def gray(image: Pixels) -> Pixels:
    """Luminance only."""
    return np.array(Image.fromarray(image).convert("L").convert("RGB"))


def sepia(image: Pixels) -> Pixels:
    """Luminance in shades of brown."""
    tint = np.array(colorsys.hsv_to_rgb(0.09, 0.45, 1.0))
    return np.rint(gray(image) * tint).astype(np.uint8)


def invert(image: Pixels) -> Pixels:
    """255 − v."""
    return 255 - image


def equalize(image: Pixels) -> Pixels:
    """Equalize the histogram of each channel."""
    return np.array(ImageOps.equalize(Image.fromarray(image)))


def blur(image: Pixels, *, share: float) -> Pixels:
    """Gaussian blur with a deviation of this share of the shorter side."""
    radius = share * min(image.shape[:2])
    return np.array(Image.fromarray(image).filter(ImageFilter.GaussianBlur(radius)))


def sharpen(image: Pixels) -> Pixels:
    """A strong unsharp mask."""
    mask = ImageFilter.UnsharpMask(radius=3, percent=250, threshold=0)
    return np.array(Image.fromarray(image).filter(mask))


def add_noise(image: Pixels, rng: Rng, *, deviation: float) -> Pixels:
    """Independent normal noise on every value, in levels of 255."""
    noise = rng.standard_normal(image.shape, dtype=np.float32) * deviation
    return np.clip(np.rint(image + noise), 0, 255).astype(np.uint8)


def mosaic(image: Pixels, *, share: float) -> Pixels:
    """Square blocks of one color, with sides of this share of the shorter side."""
    height, width = image.shape[:2]
    block = max(2, round(share * min(height, width)))
    small = Image.fromarray(image).resize(
        (max(1, width // block), max(1, height // block)), Image.Resampling.BOX
    )
    return np.array(small.resize((width, height), Image.Resampling.NEAREST))


def posterize(image: Pixels, *, bits: int) -> Pixels:
    """Fewer levels: only the highest bits of each value."""
    return np.array(ImageOps.posterize(Image.fromarray(image), bits))


def stylize(image: Pixels) -> Pixels:
    """Like a painting: flat areas (median filter), few levels, dark outlines, strong colors."""
    flat = Image.fromarray(image).filter(ImageFilter.MedianFilter(5))
    outline = np.array(flat.convert("L").filter(ImageFilter.FIND_EDGES), np.float32)
    outline[[0, -1]] = outline[:, [0, -1]] = 0
    painted = np.array(ImageEnhance.Color(ImageOps.posterize(flat, 3)).enhance(1.5), np.float32)
    dark = np.clip(1 - outline / 128, 0.2, 1)[..., None]
    return np.clip(np.rint(painted * dark), 0, 255).astype(np.uint8)
