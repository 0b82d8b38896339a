"""`read_batches`: images decoded, transformed and batched in threads, ahead of the consumer."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
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
        array: [b, ...], the transformed images; of shape [0] if all of them are broken.
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

    Raises:
        InputError: at once, if there are files that are not images; while iterating, at the first
            broken image, if transformed images differ in shape, and if an image is not what
            `hash_images` hashed. With `skip_broken` only the last two. Errors of `transform` are
            not changed.
    """
    if not skip_broken:
        refuse_non_images(source)
    return _batches(source, transform, batch_size, workers or usable_cores(), skip_broken, start)


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
    first: tuple[int, tuple[int, ...]] | None = None
    for chunk, part in map_in_order(
        lambda chunk: (chunk, _read(source, chunk, transform, skip_broken)),
        _chunks(start, count, batch_size),
        workers=workers,
        ahead=ahead,
    ):
        if len(part.positions):
            position_and_shape = int(part.positions[0]), part.array.shape[1:]
            first = first or position_and_shape
            _refuse_other_shape(source, *position_and_shape, *first)
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
        _refuse_other_shape(source, position, rows[-1].shape, positions[0], rows[0].shape)
    return Batch(
        positions=np.array(positions, np.int64),
        array=np.stack(rows) if rows else np.empty(0),
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


def _refuse_other_shape(
    source: ImageSource,
    position: int,
    shape: tuple[int, ...],
    first_position: int,
    first_shape: tuple[int, ...],
) -> None:
    if shape != first_shape:
        raise InputError(
            f"{source.describe(position)}: expected shape {list(first_shape)} after preprocessing, "
            f"as for {source.id(first_position)}, got {list(shape)}. Make all images one size, or "
            "choose a backbone that resizes."
        )


def _join(parts: list[Batch]) -> Batch:
    filled = [part.array for part in parts if len(part.positions)] or [np.empty(0)]
    return Batch(
        positions=np.concatenate([part.positions for part in parts]),
        array=filled[0] if len(filled) == 1 else np.concatenate(filled),
        broken=tuple(item for part in parts for item in part.broken),
    )
