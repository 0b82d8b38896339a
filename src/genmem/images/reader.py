"""`read_batches`: images decoded, transformed and batched in threads, ahead of the consumer."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genmem.errors import InputError
from genmem.formatting import printable
from genmem.images.decode import decode
from genmem.images.hashing import refuse_changed
from genmem.images.prefetch import map_in_order, usable_cores
from genmem.images.source import ImageSource, refuse_non_images

Transform = Callable[[NDArray[np.uint8]], NDArray[Any]]
"""Pixels uint8 [H, W, 3] → one row of the batch; called in several threads at once."""

_CHUNK = 16
_HINT = ". Repair or remove it, or leave broken images out with --skip-broken (skip_broken=True)."


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Consecutive images.

    Attributes:
        positions: int64 [b], the position in the source of each row's image, ascending.
        array: [b, ...], the transformed images; [b] of objects, each an image, if their shapes
            differ (see `stack_images`); of shape [0] if all of them are broken.
        broken: position and reason of each image left out; the reason does not name the image.
    """

    positions: NDArray[np.int64]
    array: NDArray[Any]
    broken: tuple[tuple[int, str], ...] = ()


def read_batches(
    source: ImageSource,
    *,
    transform: Transform,
    batch_size: int,
    workers: int | None = None,
    skip_broken: bool = False,
    start: int = 0,
    any_shape: bool = False,
) -> Generator[Batch, None, None]:
    """Decode and transform images in threads, up to two batches ahead of the consumer.

    Batch i holds the images from position `start + i·batch_size` on, without broken ones. Rows and
    order do not depend on the number of workers or on timing. Closing the iterator ends the
    threads.

    Args:
        source: the images.
        transform: applied to each image's pixels, uint8 [H, W, 3], after decoding.
        batch_size: images per batch; the last batch may be smaller.
        workers: threads, at most `prefetch.MAX_THREADS`; None: one per core.
        skip_broken: leave out images that cannot be decoded, and list them in `Batch.broken`.
        start: the first position.
        any_shape: accept transformed images of different shapes.

    Raises:
        InputError: at once, if there are files that are not images; while iterating, at the first
            broken image, if transformed images differ in shape (without `any_shape`), and if an
            image is not what `hash_images` hashed. With `skip_broken` only the last two. Errors of
            `transform` are not changed.
    """
    if not skip_broken:
        refuse_non_images(source)
    batches = _batches(source, transform, batch_size, workers or usable_cores(), skip_broken, start)
    return batches if any_shape else _of_one_shape(batches, source)


def stack_images(images: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """Images as one array [b, h, w, c], or as an array [b] of objects if their shapes differ."""
    if len({image.shape for image in images}) == 1:
        return np.stack(images)
    array = np.empty(len(images), object)
    for index, image in enumerate(images):
        array[index] = image
    return array


def _of_one_shape(
    batches: Generator[Batch, None, None], source: ImageSource
) -> Generator[Batch, None, None]:
    """The same batches; InputError at the first image whose shape is not that of the first."""
    first: tuple[int, tuple[int, ...]] | None = None
    with closing(batches):
        for batch in batches:
            for position, image in zip(batch.positions, batch.array, strict=True):
                first = first or (int(position), image.shape)
                if image.shape != first[1]:
                    raise InputError(
                        f"{source.describe(int(position))}: expected shape {list(first[1])} after "
                        f"preprocessing, as for {source.id(first[0])}, got {list(image.shape)}. "
                        "Make all images one size, or choose a backbone that resizes."
                    )
            yield batch


def _batches(
    source: ImageSource,
    transform: Transform,
    batch_size: int,
    workers: int,
    skip_broken: bool,
    start: int,
) -> Generator[Batch, None, None]:
    count = len(source)
    ahead = max(2 * -(-batch_size // _CHUNK), 2 * workers)
    parts: list[Batch] = []
    for chunk, part in map_in_order(
        lambda chunk: (chunk, _read(source, chunk, transform, skip_broken)),
        _chunks(start, count, batch_size),
        workers=workers,
        ahead=ahead,
    ):
        parts.append(part)
        if chunk.stop == count or (chunk.stop - start) % batch_size == 0:
            yield _join(parts)
            parts = []


def _chunks(start: int, count: int, batch_size: int) -> Iterator[range]:
    """The positions of each batch in turn, in chunks for one worker each."""
    for first in range(start, count, batch_size):
        end = min(first + batch_size, count)
        for begin in range(first, end, _CHUNK):
            yield range(begin, min(begin + _CHUNK, end))


def _read(source: ImageSource, chunk: range, transform: Transform, skip_broken: bool) -> Batch:
    """Decode, transform and stack one chunk of a batch. Runs in a worker."""
    positions: list[int] = []
    rows: list[NDArray[Any]] = []
    broken: list[tuple[int, str]] = []
    for position in chunk:
        pixels = _decode(source, position)
        if isinstance(pixels, InputError):
            message = str(pixels).rstrip(".")
            if not skip_broken:
                raise InputError(f"{message}{_HINT}") from pixels
            name = source.describe(position)
            broken.append((position, printable(message.removeprefix(name).removeprefix(": "))))
            continue
        rows.append(transform(pixels))
        positions.append(position)
    return Batch(
        positions=np.array(positions, np.int64),
        array=stack_images(rows) if rows else np.empty(0),
        broken=tuple(broken),
    )


def _decode(source: ImageSource, position: int) -> NDArray[np.uint8] | InputError:
    """The pixels of an image, or why it has none; an image that changed is never skipped."""
    try:
        content = source.content(position)
    except InputError as error:
        refuse_changed(source, position, None)
        return error
    refuse_changed(source, position, content)
    try:
        return decode(content, name=source.describe(position))
    except InputError as error:
        return error


def _join(parts: list[Batch]) -> Batch:
    filled = [part.array for part in parts if len(part.positions)] or [np.empty(0)]
    if len({array.shape[1:] for array in filled}) > 1 or filled[0].dtype == object:
        filled = [stack_images([image for array in filled for image in array])]
    return Batch(
        positions=np.concatenate([part.positions for part in parts]),
        array=filled[0] if len(filled) == 1 else np.concatenate(filled),
        broken=tuple(item for part in parts for item in part.broken),
    )
