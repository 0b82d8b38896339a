"""Estimates of an audit's running time, announced before the work starts."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from genmem.auditing.duplicates import MOST_QUERIES
from genmem.auditing.feature_spaces import is_streamed
from genmem.errors import InputError
from genmem.features import FeatureExtractor, is_cached
from genmem.formatting import duration
from genmem.images import IDENTITY, Augmentation, ImageSource, decode, stack_images
from genmem.images.prefetch import usable_cores
from genmem.scoring.feature_sets import FeatureSets

_TIMED_IMAGES = 32

_NOTABLE_GIGABYTES = 0.5


def estimate_extraction(
    extractor: FeatureExtractor,
    sources: Mapping[str, Any],
    augmentations: Sequence[Augmentation],
) -> str:
    """Number of images whose features must be extracted in one space, and the time it takes.

    Args:
        extractor: the space's backbone, opened.
        sources: the sets by role; sets of features need no extraction.
        augmentations: of the training set, the unchanged image first.

    Returns:
        One sentence.
    """
    name = extractor.backbone.name
    images = {role: source for role, source in sources.items() if isinstance(source, ImageSource)}
    total, cached, augmented, stored = 0, 0, 0, 0
    for role, source in images.items():
        for augmentation in augmentations if role == "train" else (IDENTITY,):
            total += len(source)
            augmented += len(source) if augmentation != IDENTITY else 0
            streamed = is_streamed(extractor) and augmentation != IDENTITY
            if not streamed and is_cached(source, extractor=extractor, augmentation=augmentation):
                cached += len(source)
            elif not streamed:
                stored += len(source)
    left = total - cached
    known = f" ({cached:,} more are in the cache)" if cached else ""
    if not left:
        return f"{name}: all {total:,} images are in the cache"
    rate = _rate(extractor, next(iter(images.values())))
    expected = "" if rate is None else f", about {duration(max(1.0, left / rate))}"
    price = f"; --augment accounts for {augmented:,} of {total:,}" if augmented else ""
    return f"{name}: {left:,} images to embed{known}{expected}{_space(extractor, stored)}{price}"


def _space(extractor: FeatureExtractor, images: int) -> str:
    """The room that the features of so many images take in the cache, where it is a lot."""
    gigabytes = 4e-9 * (extractor.dimension or 0) * images
    if gigabytes < _NOTABLE_GIGABYTES or not extractor.backbone.is_cacheable:
        return ""
    return f", {gigabytes:.1f} GB in the cache"


def estimate_duplicates(sets: FeatureSets) -> str:
    """The time to compare the training images with each other, as a sentence."""
    rows, dimension = (int(length) for length in sets.by_role["train"].array.shape)
    compared = min(rows, MOST_QUERIES)
    time_needed = duration(max(1.0, search_seconds(compared * rows, dimension)))
    return (
        f"{sets.backbone}: comparing {compared:,} training images with all {rows:,} for "
        f"duplicates, about {time_needed}"
    )


def estimate_search(sets: FeatureSets, queries: int, references: int) -> str:
    """The time to compare images with training rows, as a sentence."""
    dimension = int(sets.by_role["train"].array.shape[1])
    time_needed = duration(max(1.0, search_seconds(queries * references, dimension)))
    return (
        f"{sets.backbone}: comparing {queries:,} images with {references:,} training rows, about "
        f"{time_needed}"
    )


def search_seconds(pairs: int, dimension: int) -> float:
    """Seconds to compare pairs of rows, roughly, at the measured speed of this machine."""
    import torch

    side = 1_024
    first, second = torch.ones(side, dimension), torch.ones(side, dimension)
    torch.mm(first, second.T)
    started = time.perf_counter()
    torch.mm(first, second.T)
    return (time.perf_counter() - started) / side**2 * pairs * 1.3


def _rate(extractor: FeatureExtractor, source: ImageSource) -> float | None:
    """Images a second, judged by the source's first images; None where none can be timed.

    Images are decoded and transformed in a thread per core, beside the network, which uses all
    cores: the times of both add up.
    """
    prepared, started = [], time.perf_counter()
    for position in range(min(_TIMED_IMAGES, len(source))):
        try:
            pixels = decode(source.content(position), name=source.id(position))
        except InputError:  # reported when features are extracted
            continue
        prepared.append(extractor.transform(pixels))
    preparing = time.perf_counter() - started
    shapes = {image.shape for image in prepared}
    if not prepared or (len(shapes) > 1 and not extractor.backbone.takes_any_shape):
        return None
    batch = stack_images(prepared)
    extractor.run(batch)
    started = time.perf_counter()
    extractor.run(batch)
    running = time.perf_counter() - started
    return len(prepared) / max(preparing / usable_cores() + running, 1e-6)
