"""Estimates of an audit's running time, announced before the work starts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from genmem.auditing.duplicates import MOST_QUERIES
from genmem.auditing.feature_spaces import is_streamed
from genmem.features import FeatureExtractor, is_cached
from genmem.formatting import count, duration
from genmem.images import IDENTITY, Augmentation, ImageSource
from genmem.images.prefetch import usable_cores
from genmem.scoring.cost import images_per_second, search_seconds
from genmem.scoring.feature_sets import FeatureSets

_TIMED_SHARE = 20
"""One in so many of the images to embed is timed first."""

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
        return f"{name}: all {count(total, 'image')} are in the cache"
    most = -(-left // _TIMED_SHARE)
    rate = images_per_second(extractor, next(iter(images.values())), most=most)
    expected = "" if rate is None else f", about {duration(max(1.0, left / rate))}"
    price = f"; --augment accounts for {augmented:,} of {total:,}" if augmented else ""
    left_images = count(left, "image")
    return f"{name}: {left_images} to embed{known}{expected}{_space(extractor, stored)}{price}"


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
    time_needed = _search_duration(compared * rows, dimension)
    return (
        f"{sets.backbone}: comparing {compared:,} training images with all {rows:,} for "
        f"duplicates, about {time_needed}"
    )


def estimate_search(sets: FeatureSets, queries: int, references: int) -> str:
    """The time to compare images with training rows, as a sentence."""
    dimension = int(sets.by_role["train"].array.shape[1])
    time_needed = duration(
        max(1.0, search_seconds(queries * references, dimension) / usable_cores())
    )
    return (
        f"{sets.backbone}: comparing {queries:,} images with {references:,} training rows, about "
        f"{time_needed}"
    )


def _search_duration(pairs: int, dimension: int) -> str:
    """How long it takes to compare pairs of rows on all cores, in words."""
    return duration(max(1.0, search_seconds(pairs, dimension) / usable_cores()))
