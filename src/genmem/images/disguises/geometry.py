"""Disguises that move pixels: flips, rotations, crops, other aspects, frames and perspective."""

from __future__ import annotations

import numpy as np
from PIL import Image

from genmem.images.disguises.values import Pixels, Rng, encode, resize


def flip(image: Pixels) -> Pixels:
    """Mirror left and right."""
    return np.ascontiguousarray(image[:, ::-1])


def turn(image: Pixels, *, quarters: int) -> Pixels:
    """Turn by quarters, exactly; one quarter exchanges height and width."""
    return np.ascontiguousarray(np.rot90(image, quarters))


def rotate(image: Pixels, *, degrees: float) -> Pixels:
    """Turn about the center; the corners are filled by reflection."""
    height, width = image.shape[:2]
    rows, columns = height // 2, width // 2
    padded = np.pad(image, ((rows, rows), (columns, columns), (0, 0)), "reflect")
    turned = Image.fromarray(padded).rotate(degrees, resample=Image.Resampling.BILINEAR)
    return np.array(turned.crop((columns, rows, columns + width, rows + height)))


def crop(image: Pixels, rng: Rng | None, *, side: float) -> Pixels:
    """A part with this share of both sides, enlarged to the image's size.

    Args:
        image: uint8 [H, W, 3].
        rng: draws the place of the part; None for the center.
        side: in (0, 1].
    """
    height, width = image.shape[:2]
    high, wide = max(1, round(height * side)), max(1, round(width * side))
    top, left = (height - high) // 2, (width - wide) // 2
    if rng is not None:
        top, left = int(rng.integers(height - high + 1)), int(rng.integers(width - wide + 1))
    return resize(image[top : top + high, left : left + wide], (width, height))


def squeeze(image: Pixels, *, width: float) -> Pixels:
    """Make an image of its size out of one whose width is multiplied: cut above and below."""
    height, wide = image.shape[:2]
    narrow = resize(image, (wide, round(height / width)))
    top = (narrow.shape[0] - height) // 2
    return narrow[top : top + height]


def letterbox(image: Pixels, *, side: float) -> Pixels:
    """Black bars above and below; the image is squeezed to this share of the height."""
    height, width = image.shape[:2]
    return _on_canvas(image, (width, max(1, round(height * side))), color=(0, 0, 0))


def frame(image: Pixels, rng: Rng, *, side: float) -> Pixels:
    """A frame of one random color; the image is reduced to this share of both sides."""
    height, width = image.shape[:2]
    size = (max(1, round(width * side)), max(1, round(height * side)))
    return _on_canvas(image, size, color=tuple(rng.integers(256, size=3).tolist()))


def tilt(image: Pixels, rng: Rng, *, strength: float) -> Pixels:
    """Perspective: each corner of the view lies inside the image, by up to this share of a side."""
    height, width = image.shape[:2]
    moves = rng.uniform(0, strength, (4, 2)) * [width, height]
    corners = np.array([(0, 0), (0, height), (width, height), (width, 0)], np.float64)
    source = corners + moves * [(1, 1), (1, -1), (-1, -1), (-1, 1)]
    rows, values = [], []
    for (x, y), (u, v) in zip(corners, source, strict=True):
        rows += [[x, y, 1, 0, 0, 0, -u * x, -u * y], [0, 0, 0, x, y, 1, -v * x, -v * y]]
        values += [u, v]
    matrix = np.linalg.solve(np.array(rows), np.array(values))
    return np.array(
        Image.fromarray(image).transform(
            (width, height),
            Image.Transform.PERSPECTIVE,
            matrix.tolist(),
            resample=Image.Resampling.BILINEAR,
        )
    )


def screenshot(image: Pixels) -> Pixels:
    """A picture on a telephone's or browser's screen: smaller, bars with controls, JPEG 70."""
    height, width = image.shape[:2]
    canvas = np.full_like(image, 244)
    bar, rim = max(1, round(0.09 * height)), max(1, round(0.04 * width))
    canvas[:bar] = (32, 33, 36)
    canvas[height - bar :] = (32, 33, 36)
    middle = slice(bar // 3, bar - bar // 3)
    canvas[middle, rim : width // 2] = (95, 99, 104)
    for third in (1, 2, 3):
        place = round(width * third / 4)
        canvas[height - bar + bar // 3 : height - bar // 3, place : place + rim] = 200
    size = (width - 2 * rim, height - 2 * bar)
    canvas[bar : height - bar, rim : width - rim] = resize(image, size)
    return encode(canvas, codec="JPEG", quality=70)


def _on_canvas(image: Pixels, size: tuple[int, int], *, color: tuple[int, ...]) -> Pixels:
    """The image in another size (width, height) in the middle of one color."""
    height, width = image.shape[:2]
    canvas = np.empty_like(image)
    canvas[:] = color
    left, top = (width - size[0]) // 2, (height - size[1]) // 2
    canvas[top : top + size[1], left : left + size[0]] = resize(image, size)
    return canvas
