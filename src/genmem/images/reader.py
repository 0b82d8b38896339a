"""Images decoded, transformed and batched ahead of whoever consumes them."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genmem.errors import InputError
from genmem.images.decode import decode
from genmem.images.prefetch import map_in_order, usable_cores
from genmem.images.source import ImageSource, refuse_non_images

Transform = Callable[[NDArray[np.uint8]], NDArray[Any]]
"""Pixels uint8 [H, W, 3] → one row of the batch; called in several threads at once."""

_CHUNK = 16
_HINT = ". Mend or remove it, or leave broken images out with --skip-broken (skip_broken=True)"


@dataclass(frozen=True, kw_only=True)
class Batch:
    """Consecutive images.

    Attributes:
        positions: int64 [b], where in the source each row comes from, ascending.
        array: [b, ...], the transformed images; of shape [0] when every one of them was broken.
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

    Batch i holds positions `start + i·batch_size` and on, less the broken ones, whatever the number
    of workers: rows and order do not depend on timing. Closing the iterator ends the threads.

    Args:
        source: the images.
        transform: what to do with each image's pixels, uint8 [H, W, 3], right after decoding.
        batch_size: images a batch; the last batch may be smaller.
        workers: threads, at most `parallel.MAX_THREADS`; None: one a core.
        skip_broken: leave images that cannot be decoded out and say so in `Batch.broken`.
        start: the position to begin with.

    Raises:
        InputError: at once when files that are not images lie among them; while iterating at the
            first broken image, and when transformed images differ in shape. Only the last of these
            with `skip_broken`. What `transform` raises is raised as it is.
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
            here = int(part.positions[0]), part.array.shape[1:]
            first = first or here
            _refuse_other_shape(source, *here, *first)
        parts.append(part)
        if chunk.stop == count or (chunk.stop - start) % batch_size == 0:
            yield _join(parts)
            parts = []


def _chunks(start: int, count: int, batch_size: int) -> Iterator[range]:
    """The positions of each batch in turn, in pieces for one worker each."""
    for first in range(start, count, batch_size):
        end = min(first + batch_size, count)
        for begin in range(first, end, _CHUNK):
            yield range(begin, min(begin + _CHUNK, end))


def _read(source: ImageSource, chunk: range, transform: Transform, skip_broken: bool) -> Batch:
    """One chunk of a batch: decoded, transformed and stacked. Runs in a worker."""
    positions: list[int] = []
    rows: list[NDArray[Any]] = []
    broken: list[tuple[int, str]] = []
    for position in chunk:
        try:
            pixels = decode(source.content(position), name=source.describe(position))
        except InputError as error:
            if not skip_broken:
                raise InputError(f"{error}{_HINT}") from error
            name = source.describe(position)
            broken.append((position, str(error).removeprefix(name).removeprefix(": ")))
            continue
        rows.append(transform(pixels))
        positions.append(position)
        _refuse_other_shape(source, position, rows[-1].shape, positions[0], rows[0].shape)
    return Batch(
        positions=np.array(positions, np.int64),
        array=np.stack(rows) if rows else np.empty(0),
        broken=tuple(broken),
    )


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
            "choose a backbone that resizes"
        )


def _join(parts: list[Batch]) -> Batch:
    filled = [part.array for part in parts if len(part.positions)] or [np.empty(0)]
    return Batch(
        positions=np.concatenate([part.positions for part in parts]),
        array=filled[0] if len(filled) == 1 else np.concatenate(filled),
        broken=tuple(item for part in parts for item in part.broken),
    )
