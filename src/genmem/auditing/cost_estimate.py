"""What an audit will cost, said before the work starts."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genmem.auditing.duplicates import MOST_QUERIES
from genmem.auditing.significance import is_streamed
from genmem.errors import InputError
from genmem.features import FeatureExtractor, is_cached
from genmem.formatting import duration
from genmem.images import IDENTITY, Augmentation, ImageSource, decode
from genmem.scoring.feature_sets import FeatureSets

_TIMED_IMAGES = 32


def embedding_cost(
    extractor: FeatureExtractor,
    sources: Mapping[str, Any],
    transformations: Sequence[Augmentation],
) -> str:
    """How many images one space embeds, at which measured rate, and how long that takes.

    Args:
        extractor: the space's backbone, opened.
        sources: the sets by role; those that are features cost nothing here.
        transformations: the forms of the training set, the image as it is first.

    Returns:
        One sentence.
    """
    name = extractor.backbone.name
    images = {role: one for role, one in sources.items() if isinstance(one, ImageSource)}
    wanted, cached = 0, 0
    for role, source in images.items():
        for one in transformations if role == "train" else (IDENTITY,):
            wanted += len(source)
            streamed = is_streamed(extractor) and one != IDENTITY
            if not streamed and is_cached(source, extractor=extractor, augmentation=one):
                cached += len(source)
    left = wanted - cached
    known = f" ({cached:,} more are in the cache)" if cached else ""
    if not left:
        return f"{name}: all {wanted:,} images are in the cache"
    rate = _rate(extractor, next(iter(images.values())))
    expected = "" if rate is None else f", about {duration(max(1.0, left / rate))}"
    return f"{name}: {left:,} images to embed{known}{expected}"


def duplicates_sentence(inputs: FeatureSets) -> str:
    """What comparing the training images with each other costs."""
    count, dimension = (int(length) for length in inputs.by_role["train"].array.shape)
    asked = min(count, MOST_QUERIES)
    spent = duration(max(1.0, search_cost(asked * count, dimension)))
    return (
        f"{inputs.backbone}: comparing {asked:,} training images with all {count:,} for "
        f"duplicates, about {spent}"
    )


def search_sentence(inputs: FeatureSets, queries: int, references: int) -> str:
    """What comparing so many images with so many training rows costs."""
    dimension = int(inputs.by_role["train"].array.shape[1])
    spent = duration(max(1.0, search_cost(queries * references, dimension)))
    return (
        f"{inputs.backbone}: comparing {queries:,} images with {references:,} training rows, about "
        f"{spent}"
    )


def search_cost(pairs: int, dimension: int) -> float:
    """Seconds that comparing so many pairs takes at this machine's rate, roughly."""
    import torch

    side = 1_024
    one, other = torch.ones(side, dimension), torch.ones(side, dimension)
    torch.mm(one, other.T)
    started = time.perf_counter()
    torch.mm(one, other.T)
    return (time.perf_counter() - started) / side**2 * pairs * 1.3


def _rate(extractor: FeatureExtractor, source: ImageSource) -> float | None:
    """Images a second on one batch of the source's first images; None where none can be timed."""
    images = []
    for position in range(min(_TIMED_IMAGES, len(source))):
        try:
            images.append(decode(source.content(position), name=source.id(position)))
        except InputError:  # broken images are dealt with when they are read in earnest
            continue
    if not images or len({extractor.transform(pixels).shape for pixels in images}) > 1:
        return None
    _embed(extractor, images)
    started = time.perf_counter()
    _embed(extractor, images)
    return len(images) / max(time.perf_counter() - started, 1e-6)


def _embed(extractor: FeatureExtractor, images: Sequence[NDArray[np.uint8]]) -> None:
    extractor.run(np.stack([extractor.transform(pixels) for pixels in images]))
