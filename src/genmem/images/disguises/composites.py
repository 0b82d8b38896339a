"""Disguises that combine an image with something else: text, stickers, or another image.

`other` is an image of any size, as a rule another one of the same set; it is resized to the size
that is needed.
"""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from genmem.images.disguises.values import Pixels, Rng, resize

_WORDS = ("summer sale", "new in store", "limited offer", "sample", "visit us", "draft", "for you")


def add_text(image: Pixels, rng: Rng, *, lines: int, height: float) -> Pixels:
    """Lines of white text with a dark outline across the image, of this share of its height."""
    picture = Image.fromarray(image)
    draw = ImageDraw.Draw(picture)
    font = _font(height * image.shape[0])
    for line in range(lines):
        words = _WORDS[int(rng.integers(len(_WORDS)))].upper()
        top = (line + 0.5 + float(rng.uniform(-0.2, 0.2))) / lines * image.shape[0]
        place = (image.shape[1] / 2, top)
        _draw_text(draw, place, words, font)
    return np.array(picture)


def add_captions(image: Pixels, rng: Rng, *, height: float) -> Pixels:
    """A meme: the image between black bars of this share of its height, with white captions."""
    rows, columns = image.shape[:2]
    bar = max(2, round(height * rows))
    canvas = np.zeros_like(image)
    canvas[bar : rows - bar] = resize(image, (columns, rows - 2 * bar))
    picture = Image.fromarray(canvas)
    draw, font = ImageDraw.Draw(picture), _font(0.6 * bar)
    for middle in (bar / 2, rows - bar / 2):
        words = _WORDS[int(rng.integers(len(_WORDS)))].upper()
        _draw_text(draw, (columns / 2, middle), words, font)
    return np.array(picture)


def add_watermark(image: Pixels, *, opacity: float) -> Pixels:
    """The word "sample" in white over the whole image, in slanted rows, partly transparent."""
    height, width = image.shape[:2]
    side = 2 * max(height, width)
    layer = Image.new("L", (side, side), 0)
    draw, font = ImageDraw.Draw(layer), _font(0.09 * height)
    step = max(4, round(0.2 * height))
    for row in range(0, side, step):
        draw.text((-(row % (2 * step)), row), "SAMPLE   " * 40, fill=255, font=font)
    left, top = (side - width) // 2, (side - height) // 2
    turned = layer.rotate(30, resample=Image.Resampling.BILINEAR)
    mask = np.asarray(turned.crop((left, top, left + width, top + height)), np.float64)
    share = opacity * mask[..., None] / 255
    return np.rint(image * (1 - share) + 255 * share).astype(np.uint8)


def add_sticker(image: Pixels, rng: Rng, *, side: float) -> Pixels:
    """A yellow face that covers a part of the image, of this share of its shorter side."""
    height, width = image.shape[:2]
    size = max(4, round(side * min(height, width)))
    left, top = int(rng.integers(width - size + 1)), int(rng.integers(height - size + 1))
    picture = Image.fromarray(image)
    draw = ImageDraw.Draw(picture)

    def box(x: float, y: float, across: float) -> list[float]:
        corner = (left + (x - across / 2) * size, top + (y - across / 2) * size)
        return [*corner, corner[0] + across * size, corner[1] + across * size]

    draw.ellipse(box(0.5, 0.5, 1), fill=(255, 205, 60), outline=(120, 80, 0))
    draw.ellipse(box(0.32, 0.38, 0.16), fill=(60, 40, 0))
    draw.ellipse(box(0.68, 0.38, 0.16), fill=(60, 40, 0))
    draw.arc(box(0.5, 0.55, 0.55), 20, 160, fill=(60, 40, 0), width=max(1, size // 16))
    return np.array(picture)


def blend(image: Pixels, other: Pixels, *, share: float) -> Pixels:
    """share · image + (1 − share) · other."""
    mixed = share * image.astype(np.float64) + (1 - share) * _fit(other, image)
    return np.rint(mixed).astype(np.uint8)


def join_halves(image: Pixels, other: Pixels) -> Pixels:
    """The left half of the image beside the right half of the other, nothing resized."""
    joined = image.copy()
    middle = image.shape[1] // 2
    joined[:, middle:] = _fit(other, image)[:, middle:]
    return joined


def cut_out(image: Pixels, other: Pixels, rng: Rng, *, side: float) -> Pixels:
    """An ellipse with these shares of the sides, with soft edges, on the other image."""
    height, width = image.shape[:2]
    high, wide = side * height, side * width
    top, left = rng.uniform(0, 1, 2) * [height - high, width - wide]
    mask = Image.new("L", (width, height), 0)
    ImageDraw.Draw(mask).ellipse([left, top, left + wide, top + high], fill=255)
    soft = mask.filter(ImageFilter.GaussianBlur(0.01 * min(height, width)))
    share = np.asarray(soft, np.float64)[..., None] / 255
    return np.rint(share * image + (1 - share) * _fit(other, image)).astype(np.uint8)


def paste(image: Pixels, other: Pixels, rng: Rng, *, side: float) -> Pixels:
    """The whole image, reduced to this share of both sides, somewhere on the other image."""
    height, width = image.shape[:2]
    size = (max(1, round(side * width)), max(1, round(side * height)))
    left, top = int(rng.integers(width - size[0] + 1)), int(rng.integers(height - size[1] + 1))
    pasted = np.array(_fit(other, image))
    pasted[top : top + size[1], left : left + size[0]] = resize(image, size)
    return pasted


def collage(image: Pixels, other: Pixels, rng: Rng, *, columns: int) -> Pixels:
    """Beside parts of the other image: the whole image as one of `columns` × 2 tiles.

    With one column the image is squeezed into the upper or lower half.
    """
    height, width = image.shape[:2]
    parts = _fit(other, image)
    tile = (width // columns, height // 2)
    canvas = np.array(image)
    chosen = int(rng.integers(2 * columns))
    for number in range(2 * columns):
        left, top = (number % columns) * tile[0], (number // columns) * tile[1]
        corner = parts[top : top + max(1, height // 2), left : left + max(1, width // columns)]
        content = image if number == chosen else np.ascontiguousarray(corner[:, ::-1])
        canvas[top : top + tile[1], left : left + tile[0]] = resize(content, tile)
    return canvas


def _fit(other: Pixels, image: Pixels) -> Pixels:
    return resize(other, (image.shape[1], image.shape[0]))


def _font(size: float) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """Pillow's own font, the same on every machine."""
    return ImageFont.load_default(max(6, round(size)))


def _draw_text(
    draw: ImageDraw.ImageDraw,
    place: tuple[float, float],
    words: str,
    font: ImageFont.FreeTypeFont | ImageFont.ImageFont,
) -> None:
    draw.text(place, words, fill="white", font=font, anchor="mm", stroke_width=2, stroke_fill=0)
