"""Training images in memory, square and of one size."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from genmem.cheats.mixing import Pixels
from genmem.errors import InputError, UsageError
from genmem.images import ImageSource, Progress, Transform, decode, open_images, read_batches

MIN_SIDE, MAX_SIDE = 8, 4_096
"""Bounds of the side to resize to, in pixels."""

_BATCH = 256


def load_training_images(
    source: Any,
    *,
    size: int | None = None,
    skip_broken: bool = False,
    progress: Progress | None = None,
) -> Pixels:
    """Read a source, crop each image to its central square and resize it (bicubic).

    Args:
        source: whatever `open_images` takes.
        size: side in pixels; None: that of the images, which must be the same for all.
        skip_broken: leave out files that are not images and images that cannot be decoded.
        progress: told how many images are read.

    Returns:
        uint8 [n, side, side, 3], in the source's order.

    Raises:
        InputError: no image that can be read, one that cannot be, or of several sizes.
        UsageError: `size` is below 8 or above 4,096.
    """
    if size is not None and not MIN_SIDE <= size <= MAX_SIDE:
        raise UsageError(
            f"size: expected at least {MIN_SIDE} pixels a side and at most {MAX_SIDE:,}, "
            f"got {size:,}."
        )
    opened = open_images(source)
    try:
        side = _first_side(opened) if size is None else size
        parts: list[Pixels] = []
        done = 0
        for batch in read_batches(
            opened,
            transform=_square(side, resize=size is not None, where=opened.where),
            batch_size=_BATCH,
            skip_broken=skip_broken,
        ):
            if len(batch.positions):
                parts.append(batch.array)
            done += len(batch.positions) + len(batch.broken)
            if progress:
                progress(f"reading {opened.name}", done, len(opened))
        if not parts:
            raise InputError(f"{opened.where}: expected training images, found none.")
    finally:
        if opened is not source:
            opened.close()
    return np.concatenate(parts)


def _first_side(source: ImageSource) -> int:
    """The shorter side of the first image that can be read; 0 where none can."""
    for position in range(len(source)):
        with suppress(InputError):
            return min(decode(source.content(position), name=source.id(position)).shape[:2])
    return 0


def _square(wanted: int, *, resize: bool, where: str) -> Transform:
    """An image's central square, of `wanted` pixels a side."""

    def transform(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        height, width = image.shape[:2]
        side = min(height, width)
        top, left = (height - side) // 2, (width - side) // 2
        square = image[top : top + side, left : left + side]
        if side == wanted:
            return square
        if resize:
            resized = Image.fromarray(square).resize((wanted, wanted), Image.Resampling.BICUBIC)
            return np.asarray(resized)
        raise InputError(
            f"{where}: expected {wanted} pixels along the shorter side, as of the first image, got "
            f"{side}. Give a size that all images are resized to (--size)."
        )

    return transform
