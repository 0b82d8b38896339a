"""Training images as one array of pixels, made once and mapped by every process and later run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from genmem.errors import InputError
from genmem.features.cache import default_cache, entry_key
from genmem.images import DECODE_RULE, ImageSource, Progress, digest, open_images, read_batches
from genmem.training.embedding import mapped

VERSION = "training images 1"


@dataclass(frozen=True, kw_only=True)
class ImageSet:
    """Images of one size with their classes.

    Attributes:
        pixels: uint8 [n, 3, size, size].
        labels: int64 [n], numbers of `classes`.
        classes: their names in order; one, "all", where the images have none.
        digest: hex hash of pixels and labels.
    """

    pixels: NDArray[np.uint8]
    labels: NDArray[np.int64]
    classes: tuple[str, ...]
    digest: str


def load_images(
    where: str,
    *,
    size: int,
    limit: int | None = None,
    classes: Sequence[str] | None = None,
    progress: Progress | None = None,
) -> ImageSet:
    """Read images, crop each to its central square and resize it (bicubic) to `size`.

    Args:
        where: whatever `open_images` takes.
        size: side in pixels.
        limit: so many images, evenly of all classes, the first of each; None: all.
        classes: the classes there must be, in this order (the training set's); None: those found.
        progress: told while images are read for the first time.

    Raises:
        InputError: fewer than two images, unreadable ones, or classes that do not fit.
    """
    with open_images(where) as source:
        if len(source) < 2:
            raise InputError(
                f"{where}: expected at least 2 images, got {len(source)}: a GAN of one image is a "
                "copy."
            )
        key = entry_key(
            VERSION, DECODE_RULE, digest(source, progress=progress).hexdigest, str(size)
        )
        folder = default_cache() / "training"
        pixels = mapped(folder, key, lambda: _read(source, size, progress), progress)
        labels, names = _labels(source, where, classes)
    if limit is not None:
        chosen = _evenly(labels, limit, where)
        pixels, labels = pixels[chosen], labels[chosen]
        if classes is None:
            present = np.unique(labels)
            names = tuple(names[number] for number in present)
            labels = np.searchsorted(present, labels)
    hashed = blake2b(np.ascontiguousarray(pixels).data, digest_size=16)
    hashed.update(labels.tobytes())
    return ImageSet(
        pixels=pixels, labels=labels.astype(np.int64), classes=names, digest=hashed.hexdigest()
    )


def _read(source: ImageSource, size: int, progress: Progress | None) -> NDArray[np.uint8]:
    out = np.empty((len(source), 3, size, size), np.uint8)
    batches = read_batches(source, transform=lambda image: _fitted(image, size), batch_size=256)
    for batch in batches:
        out[batch.positions] = batch.array.transpose(0, 3, 1, 2)
        if progress:
            progress(f"reading {source.name}", int(batch.positions[-1]) + 1, len(source))
    return out


def _fitted(image: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """The central square of an image, uint8 [size, size, 3]."""
    height, width = image.shape[:2]
    side = min(height, width)
    top, left = (height - side) // 2, (width - side) // 2
    square = image[top : top + side, left : left + side]
    if side == size:
        return square
    resized = Image.fromarray(square).resize((size, size), Image.Resampling.BICUBIC)
    return np.asarray(resized)


def _labels(
    source: ImageSource, where: str, classes: Sequence[str] | None
) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    found = [source.category(position) for position in range(len(source))]
    named = [name if name is not None else "all" for name in found]
    if len(set(found)) > 1 and None in found:
        raise InputError(
            f"{where}: some images lie in folders, which are their classes, and some do not. Put "
            "every image in the folder of its class, or all of them in none."
        )
    names = tuple(sorted(set(named))) if classes is None else tuple(classes)
    numbers = {name: number for number, name in enumerate(names)}
    strange = sorted(set(named) - set(names))
    if strange and classes is not None:
        if set(named) == {"all"} or set(classes) == {"all"}:
            return np.zeros(len(named), np.int64), names
        raise InputError(
            f"{where}: class {strange[0]!r} is not among the training images' ({', '.join(names)})."
        )
    return np.array([numbers[name] for name in named], np.int64), names


def _evenly(labels: NDArray[np.int64], limit: int, where: str) -> NDArray[np.int64]:
    """Positions of the first limit/classes images of each class, in order."""
    if limit > len(labels):
        raise InputError(f"{where}: limit: asked for {limit:,} images, there are {len(labels):,}.")
    present = np.unique(labels)
    share = np.full(len(present), limit // len(present))
    share[: limit % len(present)] += 1
    parts = [
        np.flatnonzero(labels == label)[:count] for label, count in zip(present, share, strict=True)
    ]
    chosen = np.sort(np.concatenate(parts))
    if len(chosen) < limit:
        raise InputError(
            f"{where}: limit: asked for {limit:,} images, evenly of {len(present)} classes, but "
            f"some have fewer than {share[0]:,}."
        )
    return chosen
