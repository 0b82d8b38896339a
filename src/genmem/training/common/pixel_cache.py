"""Pixels of training images: decoded, cropped to a square, resized, and kept in the cache."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from genmem.errors import InputError
from genmem.features.cache import cached_array, default_cache, entry_key
from genmem.images import (
    DECODE_RULE,
    ImageHashes,
    ImageSource,
    Progress,
    hash_images,
    read_batches,
)

VERSION = "training images 2"
"""Part of the cache key; increase it when the same images would give other pixels."""

_BATCH = 512


@dataclass
class SquareCrop:
    """Crops images to their central square and resizes it by Lanczos; counts what it crops.

    Attributes:
        size: side in pixels; None: the square is not resized.
        cropped: one entry for each image that was not square.
        side: of the images so far; None before the first.
    """

    size: int | None
    side: int | None = None
    cropped: list[None] = field(default_factory=list)

    def __call__(self, image: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """uint8 [height, width, 3] → uint8 [size, size, 3]; called in several threads at once."""
        height, width = image.shape[:2]
        side = min(height, width)
        if height != width:
            self.cropped.append(None)
            top, left = (height - side) // 2, (width - side) // 2
            image = image[top : top + side, left : left + side]
        if self.size is None or side == self.size:
            return image
        size = (self.size, self.size)
        return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.LANCZOS))


class _Selection(ImageSource):
    """Some of the entries of a source, in a given order."""

    def __init__(self, source: ImageSource, positions: NDArray[np.int64]) -> None:
        self.name, self.where = source.name, source.where
        self.non_image_count, self.first_non_image = source.non_image_count, source.first_non_image
        self._source, self._positions = source, positions
        if source.hashes is not None:
            self.hashes = ImageHashes(per_image=source.hashes.per_image[positions])

    def __len__(self) -> int:
        return len(self._positions)

    def id(self, position: int) -> str:
        return self._source.id(int(self._positions[position]))

    def content(self, position: int) -> bytes | NDArray[np.uint8]:
        return self._source.content(int(self._positions[position]))


def read_pixels(
    source: ImageSource,
    chosen: NDArray[np.int64],
    crop: SquareCrop,
    *,
    skip_broken: bool,
    progress: Progress | None,
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.uint8]]]:
    """Yield positions in `source` and pixels [b, H, H, 3] of the chosen images, in batches.

    Raises:
        InputError: an image that cannot be decoded (unless skipped), or of another size than the
            previous ones.
    """
    view = _Selection(source, chosen)
    done = 0
    for batch in read_batches(view, transform=crop, batch_size=_BATCH, skip_broken=skip_broken):
        if len(batch.positions):
            crop.side = crop.side or batch.array.shape[1]
            if batch.array.shape[1] != crop.side:
                raise InputError(
                    f"{view.describe(int(batch.positions[0]))}: expected {crop.side} pixels a "
                    f"side, like the previous images, got {batch.array.shape[1]}. Give a size to "
                    "resize all images to."
                )
            yield chosen[batch.positions], batch.array
        done += len(batch.positions) + len(batch.broken)
        if progress:
            progress(f"reading {source.name}", done, len(chosen))


def shared_pixels(
    source: ImageSource,
    chosen: NDArray[np.int64],
    size: int,
    *,
    progress: Progress | None,
) -> tuple[NDArray[np.uint8], int]:
    """Pixels [n, 3, size, size], decoded once and memory-mapped in every process and later run.

    Returns:
        The pixels, and how many of the images were not square and were cropped.

    Raises:
        InputError: an image that cannot be decoded.
        UsageError: the cache folder cannot be written.
    """
    crop = SquareCrop(size)

    def batches() -> Iterator[NDArray[np.uint8]]:
        for _, images in read_pixels(source, chosen, crop, skip_broken=False, progress=progress):
            yield images

    def read() -> NDArray[np.uint8]:
        out = np.empty((len(chosen), 3, size, size), np.uint8)
        start = 0
        for images in batches():
            out[start : start + len(images)] = images.transpose(0, 3, 1, 2)
            start += len(images)
        return out

    def pixels() -> NDArray[np.uint8]:
        return cached_array(folder, key, read, progress)

    def cropped() -> NDArray[np.int64]:
        pixels()
        if crop.side is None:  # the pixels were there already
            for _ in batches():
                pass
        return np.array([len(crop.cropped)])

    folder = default_cache() / "training"
    of_images = (
        DECODE_RULE,
        hash_images(source, progress=progress).hexdigest,
        str(size),
        blake2b(chosen.tobytes(), digest_size=16).hexdigest(),
    )
    key = entry_key(VERSION, *of_images)
    # Counted while they are read: the lock of the count is held around that of the pixels.
    count = cached_array(folder, entry_key(f"{VERSION}, cropped", *of_images), cropped, progress)
    return pixels(), int(count[0])
