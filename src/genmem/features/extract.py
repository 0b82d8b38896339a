"""Images to features: read ahead, embedded batch by batch, kept in the cache."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, overload

import numpy as np
from numpy.typing import NDArray

from genmem.errors import InputError, UsageError
from genmem.features.cache import (
    Entry,
    EntryState,
    EntryWriter,
    default_cache,
    entry_key,
    locked,
    open_entry,
)
from genmem.features.extractor import FeatureExtractor
from genmem.images import (
    DECODE_RULE,
    IDENTITY,
    Augmentation,
    ImageHashes,
    ImageSource,
    Progress,
    Transform,
    hash_images,
    read_batches,
)

AUGMENTATIONS_VERSION = "augmentations 1"
FEATURES_VERSION = "genmem features 1"
"""Part of every cache key; to be raised when the same inputs would give other features."""

Broken = tuple[tuple[int, str], ...]


class RowIds(Sequence[str]):
    """The ids of rows, made when asked for: those of the source, or plain numbers."""

    def __init__(self, positions: NDArray[np.int64], source: ImageSource | None) -> None:
        self.positions = positions
        self.source = source

    def __len__(self) -> int:
        return len(self.positions)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> RowIds: ...
    def __getitem__(self, index: int | slice) -> str | RowIds:
        if isinstance(index, slice):
            return RowIds(self.positions[index], self.source)
        position = int(self.positions[index])
        return self.source.id(position) if self.source else f"{position:06d}"


@dataclass(frozen=True, kw_only=True)
class Features:
    """A set of feature rows and where they came from.

    Attributes:
        array: float32 [n, d]; memory-mapped when it comes from the cache or a .npy file.
        logits: float32 [n, c] for backbones that classify, else None.
        ids: what each row is called: the image's id in its source, or the row's number.
        positions: int64 [n], where in the source each row comes from.
        digest: hex hash of the content: of all images in the source, or of the feature array.
        skipped: ids of broken images left out.
        backbone: what made the rows, as `Embedder.describe` tells it; None where nothing says so.
        seconds: wall-clock time it took.
        from_cache: whether nothing had to be computed.
    """

    array: NDArray[np.float32]
    logits: NDArray[np.float32] | None
    ids: Sequence[str]
    positions: NDArray[np.int64]
    digest: str
    skipped: tuple[str, ...]
    backbone: Mapping[str, Any] | None
    seconds: float
    from_cache: bool


class _MemoryWriter:
    """Collects rows in memory, in one array made for all of them."""

    state: EntryState | None = None

    def __init__(self, count: int) -> None:
        self.count = count
        self.features: NDArray[np.float32] | None = None
        self.logits: NDArray[np.float32] | None = None
        self.rows = 0

    def append(
        self,
        features: NDArray[np.float32],
        logits: NDArray[np.float32] | None,
        *,
        next_position: int,
        shape: tuple[int, ...],
        broken: Broken,
        engine: str,
    ) -> None:
        """Add rows; see EntryWriter."""
        if self.features is None:
            self.features = np.empty((self.count, features.shape[1]), np.float32)
            if logits is not None:
                self.logits = np.empty((self.count, logits.shape[1]), np.float32)
        self.features[self.rows : self.rows + len(features)] = features
        if self.logits is not None and logits is not None:
            self.logits[self.rows : self.rows + len(logits)] = logits
        self.rows += len(features)
        self.state = EntryState(
            next_position=next_position,
            rows=self.rows,
            width=features.shape[1],
            checksum="",
            logit_width=None,
            logit_checksum=None,
            shape=shape,
            broken=broken,
            engine=engine,
        )

    def entry(self) -> Entry:
        """What was collected."""
        if self.features is None or self.state is None:
            raise InputError("no image could be read")
        logits = self.logits[: self.rows] if self.logits is not None else None
        return Entry(features=self.features[: self.rows], logits=logits, state=self.state)


def _refuse_broken(source: ImageSource, broken: Broken) -> None:
    """Raise InputError, naming the first of the images that were left out, if any were."""
    if broken:
        position, reason = broken[0]
        raise InputError(
            f"{source.describe(position)}: {reason}. Mend or remove it, or leave broken images out "
            "with --skip-broken (skip_broken=True)"
        )


def _fill(
    writer: EntryWriter | _MemoryWriter,
    source: ImageSource,
    extractor: FeatureExtractor,
    *,
    augmentation: Augmentation,
    batch_size: int,
    skip_broken: bool,
    progress: Progress | None,
) -> None:
    """Append the features of all images the writer does not have yet."""
    stage, count = stage_of(source, augmentation), len(source)
    broken = writer.state.broken if writer.state else ()
    if not skip_broken:
        _refuse_broken(source, broken)  # by an earlier run that skipped and was cut off
    start = writer.state.next_position if writer.state else 0
    if progress is not None:
        progress(stage, start, count)
    batches = read_batches(
        source,
        transform=image_transform(extractor, augmentation),
        batch_size=batch_size,
        skip_broken=skip_broken,
        start=start,
    )
    with closing(batches):
        for batch in batches:
            broken = (*broken, *batch.broken)
            start = min(start + batch_size, count)
            if len(batch.positions):
                shape = batch.array.shape[1:]
                if writer.state is not None and writer.state.shape != shape:
                    raise InputError(
                        f"{source.id(int(batch.positions[0]))} has shape {list(shape)}, the images "
                        f"before it {list(writer.state.shape)}: {extractor.backbone.name} needs "
                        "images of one size"
                    )
                features, logits = extractor.run(batch.array)
            elif writer.state is not None:
                shape = writer.state.shape
                features, logits = np.empty((0, writer.state.width), np.float32), None
            else:
                continue
            writer.append(
                features,
                logits,
                next_position=start,
                shape=shape,
                broken=broken,
                engine=extractor.engine,
            )
            if progress is not None:
                progress(stage, start, count)
    if writer.state is None:
        first = f"; the first: {source.id(broken[0][0])}: {broken[0][1]}" if broken else ""
        raise InputError(f"{source.name} holds no image that can be read{first}")


def _compute(
    folder: Path,
    key: str,
    source: ImageSource,
    extractor: FeatureExtractor,
    *,
    augmentation: Augmentation,
    batch_size: int,
    skip_broken: bool,
    progress: Progress | None,
) -> None:
    """Make the entry `key`; what is done of it stays for a later run when this one is cut off."""
    with closing(EntryWriter(folder / f"{key}.partial", len(source))) as writer:
        _fill(
            writer,
            source,
            extractor,
            augmentation=augmentation,
            batch_size=batch_size,
            skip_broken=skip_broken,
            progress=progress,
        )
        writer.commit(folder / key)


def image_transform(extractor: FeatureExtractor, augmentation: Augmentation) -> Transform:
    """What happens to each image's pixels before the network: the augmentation goes first."""
    if augmentation == IDENTITY:
        return extractor.transform
    return lambda pixels: extractor.transform(augmentation.apply(pixels))


def stage_of(source: ImageSource, augmentation: Augmentation) -> str:
    """What the progress calls this work."""
    words = f", {augmentation.phrase}" if augmentation.phrase else ""
    return f"features of {source.name}{words}"


def features_key(
    hashes: ImageHashes, extractor: FeatureExtractor, augmentation: Augmentation = IDENTITY
) -> str:
    """The cache key of some images' features: a hash over all that decides them."""
    return entry_key(
        FEATURES_VERSION,
        DECODE_RULE,
        hashes.hexdigest,
        extractor.backbone.name,
        extractor.weights_hash or "no weights",
        extractor.backbone.preprocessing.name,
        extractor.engine,
        *(() if augmentation == IDENTITY else (AUGMENTATIONS_VERSION, augmentation.name)),
    )


def is_cached(
    source: ImageSource, *, extractor: FeatureExtractor, augmentation: Augmentation = IDENTITY
) -> bool:
    """Whether the default cache seems to hold these features; nothing is checked or waited for."""
    key = features_key(hash_images(source), extractor, augmentation)
    return (default_cache() / "features" / key / "entry.json").is_file()


def _cached(
    folder: Path,
    source: ImageSource,
    extractor: FeatureExtractor,
    hashes: ImageHashes,
    *,
    augmentation: Augmentation,
    batch_size: int,
    skip_broken: bool,
    progress: Progress | None,
) -> tuple[Entry, bool]:
    """The entry of these images and this backbone, and whether it was there already."""
    key = features_key(hashes, extractor, augmentation)
    target = folder / key
    entry = open_entry(target, len(source))
    if entry is not None:
        return entry, True
    with locked(folder, key, progress):
        entry = open_entry(target, len(source))
        if entry is not None:
            return entry, True
        try:
            _compute(
                folder,
                key,
                source,
                extractor,
                augmentation=augmentation,
                batch_size=batch_size,
                skip_broken=skip_broken,
                progress=progress,
            )
        except OSError as error:
            raise UsageError(
                f"cannot write the cache folder {folder} ({error.strerror}); make room there, or "
                "set $GENMEM_CACHE to another folder"
            ) from error
        entry = open_entry(target, len(source))
    if entry is None:
        raise InputError(f"the cache folder {folder} does not keep what is written to it")
    return entry, False


def extract(
    source: ImageSource,
    *,
    extractor: FeatureExtractor,
    augmentation: Augmentation = IDENTITY,
    batch_size: int | None = None,
    skip_broken: bool = False,
    cache: str | Path | Literal["default"] | None = "default",
    progress: Progress | None = None,
) -> Features:
    """The features of all images of a source, from the cache if they were computed before.

    The key is the content of the images, the rule they are decoded by, the backbone, its weights'
    hash, its preprocessing, the engine and the version of this code: never a path or a count.
    Memory is bounded: rows go to disk as they come, and the result is mapped. An interrupted run is
    taken up where it stopped.

    Args:
        source: from `open_images`; it must stay open while `ids` are used.
        extractor: from `load_backbone`.
        augmentation: done to every image first; "as is" by default.
        batch_size: images per call of the network; None takes what its engine is fastest at.
            Features do not depend on it beyond 1e-5 relative.
        skip_broken: leave broken images out, and list them in `skipped`, instead of stopping.
        cache: the cache folder; None computes everything in memory; "default" is $GENMEM_CACHE or
            the platform's folder for caches.
        progress: told about each stage.

    Raises:
        InputError: an image is broken (without `skip_broken`), none can be read, or their sizes
            differ where the backbone needs one size.
        UsageError: the cache folder cannot be written, or `source` is not opened yet.
    """
    if not isinstance(source, ImageSource):
        raise UsageError(
            f"extract: expected an ImageSource, got {type(source).__name__}. Open the images "
            "first: with open_images(...) as source: extract(source, ...)"
        )
    started = time.perf_counter()
    hashes = hash_images(source, progress=progress)
    size = batch_size or extractor.batch_size
    if cache is None:
        writer = _MemoryWriter(len(source))
        _fill(
            writer,
            source,
            extractor,
            augmentation=augmentation,
            batch_size=size,
            skip_broken=skip_broken,
            progress=progress,
        )
        entry, from_cache = writer.entry(), False
    else:
        entry, from_cache = _cached(
            (default_cache() if cache == "default" else Path(cache)) / "features",
            source,
            extractor,
            hashes,
            augmentation=augmentation,
            batch_size=size,
            skip_broken=skip_broken,
            progress=progress,
        )
    broken = entry.state.broken
    if not skip_broken:
        _refuse_broken(source, broken)
    left_out = [position for position, _ in broken]
    positions = np.delete(np.arange(len(source), dtype=np.int64), left_out)
    return Features(
        array=entry.features,
        logits=entry.logits,
        ids=RowIds(positions, source),
        positions=positions,
        digest=hashes.hexdigest,
        skipped=tuple(source.id(position) for position in left_out),
        backbone=extractor.describe(),
        seconds=time.perf_counter() - started,
        from_cache=from_cache,
    )
