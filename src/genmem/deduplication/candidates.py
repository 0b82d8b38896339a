"""Pairs of images that are worth a look: equal files, and near neighbors in a feature space."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import numpy as np

from genmem.auditing.feature_spaces import distance_metric
from genmem.images import hash_images
from genmem.neighbors import nearest
from genmem.scoring.feature_sets import FeatureSet, FeatureSets

NEIGHBORS = 5
"""Nearest images of each image, in each space and of each set, that are looked at."""

RowPair = tuple[int, int]
"""Rows of two images, ascending; training images first, then those they are compared against."""


def near_pairs(sets: FeatureSets) -> set[RowPair]:
    """Each training image with its nearest others, and with the nearest of the other set.

    Args:
        sets: "train" and, if there is one, "test", the set that train is compared against.
    """
    train = sets.by_role["train"].array
    metric = distance_metric(sets.backbone)
    count = int(train.shape[0])
    pairs: set[RowPair] = set()
    if count > 1:
        k = min(NEIGHBORS, count - 1)
        near = np.asarray(nearest(train, train, k=k, metric=metric, exclude_self=True).indices)
        for row, others in enumerate(near.tolist()):
            pairs.update((min(row, other), max(row, other)) for other in others)
    if "test" in sets.by_role:
        other_set = sets.by_role["test"].array
        k = min(NEIGHBORS, int(other_set.shape[0]))
        near = np.asarray(nearest(train, other_set, k=k, metric=metric).indices)
        for row, others in enumerate(near.tolist()):
            pairs.update((row, count + other) for other in others)
        k = min(NEIGHBORS, count)
        near = np.asarray(nearest(other_set, train, k=k, metric=metric).indices)
        for row, others in enumerate(near.tolist()):
            pairs.update((other, count + row) for other in others)
    return pairs


def identical_pairs(by_role: Mapping[str, FeatureSet]) -> set[RowPair]:
    """Images whose stored bytes are equal: each with the next of its kind."""
    rows_by_content: dict[bytes, list[int]] = {}
    start = 0
    for features in by_role.values():
        if features.source is None:
            raise AssertionError("duplicates are searched for among images")
        hashes = hash_images(features.source).per_image[features.positions]
        for row, content in enumerate(hashes, start):
            rows_by_content.setdefault(content.tobytes(), []).append(row)
        start += len(hashes)
    return {pair for rows in rows_by_content.values() for pair in pairwise(rows)}
