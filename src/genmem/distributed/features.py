"""Features by shards of the images: each task writes its shard, the calling process joins them.

A shard is a fixed range of images, a multiple of the batch size, so that every batch is that of one
process. It lies beside the cache's entry until that is complete:

    features/<key>.shards/000000000-000001024.npy          float32 [b, d]
    features/<key>.shards/000000000-000001024.logits.npy   float32 [b, c], where there are logits
    features/<key>.shards/000000000-000001024.json         written last: it marks the shard as done

Killed anywhere, a run continues: shards that are done, with the checksum of their rows, are not
computed again, and a task whose machine is lost makes its shard alone again. All machines must see
the images and the cache folder under the same names.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, NonNegativeInt, ValidationError

from genmem.distributed.cluster import Cluster, Shared
from genmem.distributed.sources import SourceSlice, open_on_worker
from genmem.distributed.threads import one_thread
from genmem.errors import UsageError
from genmem.features.extract import Extraction, check_none_broken, check_one_shape
from genmem.features.feature_cache import (
    Compute,
    EntryState,
    Rows,
    hash_rows,
    new_hasher,
    shards_folder,
)
from genmem.images.hashing import hash_images
from genmem.images.prefetch import limit_cores
from genmem.io.atomic import atomic_write
from genmem.io.npy import map_npy

SHARD_IMAGES = 1024
_MOST_SHARDS = 10_000

_SUFFIXES = (".npy", ".logits.npy")


class ShardState(BaseModel, frozen=True, strict=True, extra="forbid"):
    """The marker of a shard that is done.

    Attributes:
        checksums: BLAKE2b of the rows of each array; none if every image is broken.
        shape: of one preprocessed image, () if it differs or there is none.
        broken: position in the source and reason of every image left out.
    """

    checksums: tuple[str, ...]
    shape: tuple[NonNegativeInt, ...]
    broken: tuple[tuple[NonNegativeInt, str], ...]


@dataclass(frozen=True)
class _Sent:
    """What every task of an extraction reads."""

    extraction: Extraction
    origin: str
    count: int
    folder: Path
    cores: int


def compute_on_cluster(extraction: Extraction, folder: Path, cluster: Cluster) -> Compute:
    """The rows of an extraction, for the writer of the cache, computed by a cluster.

    Args:
        extraction: of a source with an `origin`.
        folder: the cache's entry.
        cluster: does the work.
    """

    def compute(state: EntryState | None) -> Generator[Rows, None, None]:
        yield from _rows(extraction, shards_folder(folder), cluster, state)

    return compute


def _rows(
    extraction: Extraction, folder: Path, cluster: Cluster, state: EntryState | None
) -> Iterator[Rows]:
    source, progress = extraction.source, extraction.progress
    count = len(source)
    position, broken = (state.next_position, state.broken) if state else (0, ())
    shape = state.shape if state else ()
    if not extraction.skip_broken:
        check_none_broken(source, broken)
    bounds = _bounds(position, count, extraction.batch_size)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"cannot write the cache folder {folder.parent} ({error}).") from error
    if progress:
        progress(extraction.stage, position, count)
    for (start, stop), marker in zip(
        bounds, _computed(extraction, folder, cluster, bounds), strict=True
    ):
        arrays = _load(folder, start, stop, marker)
        if arrays is None:
            raise UsageError(
                f"a worker wrote its shard to {folder}, and it is not here. All machines must see "
                "the cache folder under the same name: set $GENMEM_CACHE to a folder they share."
            )
        if arrays:
            shape = shape or marker.shape
            check_one_shape(marker.shape, shape, source.id(start), extraction.extractor)
        broken = (*broken, *marker.broken)
        if not extraction.skip_broken:
            check_none_broken(source, broken)
        yield Rows(arrays=arrays, next_position=stop, shape=shape, broken=broken)
        if progress:
            progress(extraction.stage, stop, count)


def _computed(
    extraction: Extraction, folder: Path, cluster: Cluster, bounds: list[tuple[int, int]]
) -> Iterator[ShardState]:
    """The marker of every shard, in order; those that are not done are computed."""
    done = [_read_marker(folder, start, stop) for start, stop in bounds]
    missing = [place for place, marker in enumerate(done) if marker is None]
    results = iter(())
    if missing:
        gpu = "cuda" in extraction.extractor.engine
        cores = cluster.places() // cluster.places(gpu=True) if gpu else 1
        hashes = hash_images(extraction.source).per_image
        sent = cluster.share(
            _Sent(
                replace(extraction, source=None, progress=None),  # pyright: ignore[reportArgumentType]
                str(extraction.source.origin),
                len(extraction.source),
                folder,
                max(1, cores),
            )
        )
        jobs = [(sent, *bounds[place], hashes[slice(*bounds[place])]) for place in missing]
        results = cluster.run(extract_shard, jobs, ordered=True, gpu=gpu)
    for marker in done:
        yield marker if marker is not None else next(results)[1]


def extract_shard(sent: Shared, start: int, stop: int, hashes: NDArray[np.uint8]) -> ShardState:
    """The task: computes and writes the shard of the images [start, stop)."""
    work: _Sent = sent.get()
    limit_cores(work.cores)
    source = SourceSlice(open_on_worker(work.origin, work.count), start, stop, hashes)
    parts: list[Rows] = []
    with one_thread():
        parts.extend(replace(work.extraction, source=source).compute(None))
    engine = work.extraction.extractor.opened_engine
    if engine != work.extraction.extractor.engine:
        raise UsageError(
            f"a worker runs {work.extraction.extractor.backbone.name} by {engine}, expected "
            f"{work.extraction.extractor.engine} as where the command runs. Choose --device cpu, "
            "or start the command on a machine like the workers."
        )
    arrays = [part.arrays for part in parts if part.arrays]
    checksums = []
    for suffix, rows in zip(_SUFFIXES, zip(*arrays, strict=True), strict=False):
        array = np.concatenate(rows)
        with atomic_write(_path(work.folder, start, stop, suffix)) as file:
            np.save(file, array, allow_pickle=False)
        checksums.append(_checksum(array))
    broken = parts[-1].broken
    marker = ShardState(
        checksums=tuple(checksums),
        shape=parts[-1].shape,
        broken=tuple((start + position, reason) for position, reason in broken),
    )
    with atomic_write(_path(work.folder, start, stop, ".json")) as file:
        file.write(marker.model_dump_json().encode())
    return marker


def _bounds(position: int, count: int, batch_size: int) -> list[tuple[int, int]]:
    """The shards from an image on. Their borders follow from the numbers of all images alone."""
    least = max(SHARD_IMAGES, -(-count // _MOST_SHARDS))
    size = -(-least // batch_size) * batch_size
    starts = [position, *range((position // size + 1) * size, count, size)]
    return list(zip(starts, [*starts[1:], count], strict=True)) if position < count else []


def _path(folder: Path, start: int, stop: int, suffix: str) -> Path:
    return folder / f"{start:012d}-{stop:012d}{suffix}"


def _checksum(array: NDArray[Any]) -> str:
    hasher = new_hasher()
    hash_rows(hasher, array)
    return hasher.hexdigest()


def _read_marker(folder: Path, start: int, stop: int) -> ShardState | None:
    """The marker of a shard whose rows are as written; None: it is not done."""
    try:
        marker = ShardState.model_validate_json(_path(folder, start, stop, ".json").read_bytes())
    except (OSError, ValidationError):
        return None
    arrays = _load(folder, start, stop, marker)
    same = arrays is not None and tuple(map(_checksum, arrays)) == marker.checksums
    return marker if same else None


def _load(
    folder: Path, start: int, stop: int, marker: ShardState
) -> list[NDArray[np.float32]] | None:
    """The mapped arrays of a shard; None if a file is missing or no array."""
    paths = [
        _path(folder, start, stop, suffix)
        for suffix, _ in zip(_SUFFIXES, marker.checksums, strict=False)
    ]
    arrays = [map_npy(path) for path in paths]
    return None if any(array is None for array in arrays) else arrays
