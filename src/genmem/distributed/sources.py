"""Image sources that tasks open again on their machines, and parts of them."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from genmem.distributed.cluster import Cluster
from genmem.errors import InputError
from genmem.images import ImageSource, Progress, open_images
from genmem.images.hashing import hash_entries
from genmem.images.prefetch import limit_cores
from genmem.images.source import HASH_BYTES, ImageHashes

HASH_SHARD = 16_384
"""Images that a task hashes."""


class SourceSlice(ImageSource):
    """Consecutive entries of a source, as a source of their own with the same ids."""

    def __init__(
        self, source: ImageSource, start: int, stop: int, hashes: NDArray[np.uint8] | None = None
    ) -> None:
        self.name, self.where = source.name, source.where
        self.non_image_count, self.first_non_image = source.non_image_count, source.first_non_image
        self.hashes = None if hashes is None else ImageHashes(per_image=hashes)
        self._source, self._start, self._count = source, start, stop - start

    def __len__(self) -> int:
        return self._count

    def id(self, position: int) -> str:
        """See `ImageSource`."""
        return self._source.id(self._start + position)

    def content(self, position: int) -> bytes | NDArray[np.uint8]:
        """See `ImageSource`."""
        return self._source.content(self._start + position)

    def describe(self, position: int) -> str:
        """See `ImageSource`."""
        return self._source.describe(self._start + position)


def hash_on_cluster(
    source: ImageSource, cluster: Cluster, progress: Progress | None
) -> NDArray[np.uint8]:
    """What `hash_images` gives, each task for a part of the images.

    Args:
        source: with an `origin`.
        cluster: does the work.
        progress: told how many images are hashed.
    """
    count = len(source)
    starts = range(0, count, HASH_SHARD)
    jobs = [(source.origin, count, start, min(count, start + HASH_SHARD)) for start in starts]
    out, done = np.empty((count, HASH_BYTES), np.uint8), 0
    for number, rows in cluster.run(_hash_shard, jobs):
        out[starts[number] : starts[number] + len(rows)] = rows
        done += len(rows)
        if progress:
            progress(f"reading {source.name}", done, count)
    return out


def open_on_worker(origin: str, count: int) -> ImageSource:
    """The source of `origin`, opened once in this process.

    Raises:
        InputError: it is not here, or holds another number of images than where it was sent from.
    """
    source = _opened(origin)
    if len(source) != count:
        raise InputError(
            f"{source.where}: a worker sees {len(source):,} images there, expected {count:,}. All "
            "machines must see the same files under this name."
        )
    return source


@lru_cache(maxsize=8)
def _opened(origin: str) -> ImageSource:
    return open_images(origin)


def _hash_shard(origin: str, count: int, start: int, stop: int) -> NDArray[np.uint8]:
    """The task: hashes of the entries [start, stop)."""
    limit_cores(1)
    return hash_entries(SourceSlice(open_on_worker(origin, count), start, stop))
