"""`features_key`: everything that decides the features of some images, as one cache key."""

from __future__ import annotations

from genmem.features.cache import entry_key
from genmem.features.extractor import FeatureExtractor
from genmem.images import (
    DECODE_RULE,
    IDENTITY,
    Augmentation,
    ImageHashes,
)

FEATURES_VERSION = "genmem features 1"
"""Part of every cache key. Raise it when the same inputs would give other features."""

AUGMENTATIONS_VERSION = "augmentations 1"
"""Part of the cache keys of augmented images. Raise it when augmented pixels would differ."""


def features_key(
    hashes: ImageHashes, extractor: FeatureExtractor, augmentation: Augmentation = IDENTITY
) -> str:
    """The cache key of the features of some images: a hash over everything that decides them.

    Args:
        hashes: of the images' content.
        extractor: its backbone, weights, preprocessing and engine count.
        augmentation: applied to every image.
    """
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
