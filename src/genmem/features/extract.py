"""Images → features: decoded ahead in threads, run through a backbone, kept in the cache."""

from __future__ import annotations

import time
from collections.abc import Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, overload

import numpy as np
from numpy.typing import NDArray

from genmem.backend import active_backend
from genmem.errors import InputError
from genmem.features.cache import cache_folder, default_cache
from genmem.features.cache_key import features_key
from genmem.features.extractor import FeatureExtractor
from genmem.features.feature_cache import (
    Compute,
    Entry,
    EntryState,
    Rows,
    compute_in_memory,
    is_done,
    open_or_compute,
)
from genmem.images import (
    IDENTITY,
    Augmentation,
    ImageHashes,
    ImageSource,
    Progress,
    Transform,
    ValueRange,
    hash_images,
    open_images,
    read_batches,
)

Broken = tuple[tuple[int, str], ...]
"""Position and reason of every image left out."""


class RowIds(Sequence[str]):
    """The ids of rows, computed on access: the ids of the source's images, or row numbers."""

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
        array: float32 [n, d]; memory-mapped if it comes from the cache or a .npy file.
        logits: float32 [n, c] for backbones that classify, else None.
        ids: the id of each row: of its image in the source, or the row's number.
        positions: int64 [n], the position in the source of each row's image.
        digest: hex hash of the content: of all images in the source, or of the feature array.
        skipped: ids of the broken images that were left out.
        shape: of one preprocessed image, () if it differs; None where features were given.
        backbone: `FeatureExtractor.describe` of what computed the rows; None if unknown.
        seconds: wall-clock time of the extraction.
        from_cache: whether the cache held all rows.
    """

    array: NDArray[np.float32]
    logits: NDArray[np.float32] | None
    ids: Sequence[str]
    positions: NDArray[np.int64]
    digest: str
    skipped: tuple[str, ...]
    shape: tuple[int, ...] | None
    backbone: Mapping[str, Any] | None
    seconds: float
    from_cache: bool


def check_none_broken(source: ImageSource, broken: Broken) -> None:
    """Raise InputError for the first of the images that were left out, if any were."""
    if broken:
        position, reason = broken[0]
        raise InputError(
            f"{source.describe(position)}: {reason}. Repair or remove it, or leave broken images "
            "out with --skip-broken (skip_broken=True)."
        )


def image_transform(extractor: FeatureExtractor, augmentation: Augmentation) -> Transform:
    """What happens to an image's pixels before the network: augmentation, then preprocessing.

    Args:
        extractor: its backbone's preprocessing is applied.
        augmentation: applied before it.
    """
    if augmentation == IDENTITY:
        return extractor.transform
    return lambda pixels: extractor.transform(augmentation.apply(pixels))


def is_cached(
    source: ImageSource, *, extractor: FeatureExtractor, augmentation: Augmentation = IDENTITY
) -> bool:
    """Whether the default cache holds these features; their bytes are not verified.

    Args:
        source: the images.
        extractor: from `load_backbone`.
        augmentation: applied to every image.
    """
    if not extractor.backbone.is_cacheable:
        return False
    key = features_key(hash_images(source), extractor, augmentation)
    return is_done(default_cache() / "features" / key)


@dataclass(frozen=True, kw_only=True)
class Extraction:
    """One extraction: what is computed of which images, and how.

    Attributes:
        source, extractor, augmentation, skip_broken, progress: as for `extract`.
        batch_size: images per call of the network.
    """

    source: ImageSource
    extractor: FeatureExtractor
    augmentation: Augmentation
    batch_size: int
    skip_broken: bool
    progress: Progress | None

    @property
    def stage(self) -> str:
        """What `progress` is told."""
        phrase = self.augmentation.phrase
        return f"features in {self.extractor.backbone.name}" + (f", {phrase}" if phrase else "")

    def compute(self, state: EntryState | None) -> Generator[Rows, None, None]:
        """The features of the images that `state` does not have yet, batch by batch.

        Raises:
            InputError: an image is broken (without `skip_broken`), or their sizes differ where the
                backbone needs one size.
        """
        source, extractor, count = self.source, self.extractor, len(self.source)
        position, broken = (state.next_position, state.broken) if state else (0, ())
        shape = state.shape if state else None
        if not self.skip_broken:
            check_none_broken(source, broken)  # an interrupted run may have skipped them
        if self.progress is not None:
            self.progress(self.stage, position, count)
        batches = read_batches(
            source,
            transform=image_transform(extractor, self.augmentation),
            batch_size=self.batch_size,
            skip_broken=self.skip_broken,
            start=position,
            any_shape=extractor.backbone.takes_any_shape,
        )
        with closing(batches):
            for batch in batches:
                broken = (*broken, *batch.broken)
                position = min(position + self.batch_size, count)
                arrays: Sequence[NDArray[np.float32]] = ()
                if len(batch.positions):
                    size = () if extractor.backbone.takes_any_shape else batch.array.shape[1:]
                    shape = shape or size
                    first = source.id(int(batch.positions[0]))
                    check_one_shape(size, shape, first, extractor)
                    features, logits = extractor.run(batch.array)
                    arrays = (features,) if logits is None else (features, logits)
                yield Rows(
                    arrays=arrays, next_position=position, shape=shape or (), broken=tuple(broken)
                )
                if self.progress is not None:
                    self.progress(self.stage, position, count)


def check_one_shape(
    shape: tuple[int, ...], earlier: tuple[int, ...], name: str, extractor: FeatureExtractor
) -> None:
    """Raise InputError if the images from `name` on have another shape than the images before."""
    if shape != earlier:
        raise InputError(
            f"{name} has shape {list(shape)}, the images before it {list(earlier)}: "
            f"{extractor.backbone.name} needs images of one size."
        )


def _check_some_rows(compute: Compute, source: ImageSource) -> Compute:
    """The same, which ends with InputError if no image at all could be read."""

    def checked(state: EntryState | None) -> Generator[Rows, None, None]:
        some, broken = state is not None, ()
        with closing(compute(state)) as parts:
            for rows in parts:
                some, broken = some or bool(rows.arrays), rows.broken
                yield rows
        if not some:
            first = f"; the first: {source.id(broken[0][0])}: {broken[0][1]}" if broken else ""
            raise InputError(f"{source.name} holds no image that can be read{first}.")

    return checked


def extract(
    source: Any,
    *,
    extractor: FeatureExtractor,
    augmentation: Augmentation = IDENTITY,
    batch_size: int | None = None,
    value_range: ValueRange | None = None,
    skip_broken: bool = False,
    cache: str | Path | Literal["default"] | None = "default",
    progress: Progress | None = None,
) -> Features:
    """Extract the features of all images of a source, or read them from the cache.

    The cache key is a hash over the content of the images, the rule they are decoded by, the
    backbone, its weights' hash, its preprocessing, the engine, the augmentation and the version of
    this code; never a path or a count. Memory is bounded: rows are written to disk as they are
    computed, and the result is memory-mapped. An interrupted run resumes where it stopped.

    Args:
        source: what `open_images` takes. What it gave must stay open while `ids` are used.
        extractor: from `load_backbone`.
        augmentation: done to every image first; "as is" by default.
        batch_size: images per call of the network; None takes what its engine is fastest at.
            Features do not depend on it beyond 1e-5 relative.
        value_range: of floating-point images that are not opened yet, as for `open_images`.
        skip_broken: leave broken images out, and list them in `skipped`, instead of stopping.
        cache: the cache folder; None computes everything in memory, as does a module or callable
            without a name; "default" is $GENMEM_CACHE or the platform's folder for caches.
        progress: told about each stage.

    Raises:
        InputError: an image is broken (without `skip_broken`), none can be read, or their sizes
            differ where the backbone needs one size.
        UsageError: the cache folder cannot be written.
    """
    if not isinstance(source, ImageSource):
        with open_images(source, value_range=value_range, progress=progress) as opened:
            features = extract(
                opened,
                extractor=extractor,
                augmentation=augmentation,
                batch_size=batch_size,
                skip_broken=skip_broken,
                cache=cache,
                progress=progress,
            )
            return replace(features, ids=tuple(features.ids))
    started = time.perf_counter()
    hashes = hash_images(source, progress=progress)
    extraction = Extraction(
        source=source,
        extractor=extractor,
        augmentation=augmentation,
        batch_size=batch_size or extractor.batch_size,
        skip_broken=skip_broken,
        progress=progress,
    )
    if cache is None or not extractor.backbone.is_cacheable:
        compute = _check_some_rows(extraction.compute, source)
        entry, from_cache = compute_in_memory(len(source), compute), False
    else:
        key = features_key(hashes, extractor, augmentation)
        folder = cache_folder(cache) / "features" / key
        backend = active_backend()
        elsewhere = backend.extract(extraction, folder) if backend is not None else None
        compute = _check_some_rows(elsewhere or extraction.compute, source)
        entry, from_cache = open_or_compute(folder, len(source), compute, progress=progress)
    if not skip_broken:
        check_none_broken(source, entry.broken)
    features = _describe_rows(entry, source, hashes, extractor)
    return replace(features, seconds=time.perf_counter() - started, from_cache=from_cache)


def _describe_rows(
    entry: Entry, source: ImageSource, hashes: ImageHashes, extractor: FeatureExtractor
) -> Features:
    """The rows of a feature set with their images' ids and positions."""
    skipped = [position for position, _ in entry.broken]
    positions = np.delete(np.arange(len(source), dtype=np.int64), skipped)
    return Features(
        array=entry.features,
        logits=entry.logits,
        ids=RowIds(positions, source),
        positions=positions,
        digest=hashes.hexdigest,
        skipped=tuple(source.id(position) for position in skipped),
        shape=entry.shape,
        backbone=extractor.describe(),
        seconds=0.0,
        from_cache=False,
    )
