"""Pairs of images that are worth a look: equal files, and near neighbors in a feature space."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from genmem.neighbors import Metric, nearest
from genmem.scoring.feature_sets import FeatureSet

NEIGHBORS = 5
"""Nearest images of each image, in each space and of each set, that are looked at."""

RowPair = tuple[int, int]
"""Rows of two images, ascending; training images first, then those they are compared against."""


def near_pairs(by_role: Mapping[str, FeatureSet], metric: Metric) -> set[RowPair]:
    """Each training image with its nearest others, and with the nearest of the other set.

    Args:
        by_role: "train" and, if there is one, "test", the set that train is compared against.
        metric: of their space.
    """
    train = by_role["train"].array
    count = int(train.shape[0])
    pairs: set[RowPair] = set()
    if count > 1:
        near = _nearest_others(by_role["train"], min(NEIGHBORS, count - 1), metric)
        for row, others in enumerate(near.tolist()):
            pairs.update((min(row, other), max(row, other)) for other in others)
    if "test" in by_role:
        other_set = by_role["test"].array
        k = min(NEIGHBORS, int(other_set.shape[0]))
        near = np.asarray(nearest(train, other_set, k=k, metric=metric).indices)
        for row, others in enumerate(near.tolist()):
            pairs.update((row, count + other) for other in others)
        k = min(NEIGHBORS, count)
        near = np.asarray(nearest(other_set, train, k=k, metric=metric).indices)
        for row, others in enumerate(near.tolist()):
            pairs.update((other, count + row) for other in others)
    return pairs


def _nearest_others(train: FeatureSet, k: int, metric: Metric) -> NDArray[np.int64]:
    """The k nearest other rows of each row, int64 [n, k]; a reference lists them."""
    if train.stored is not None and train.stored.space is not None:
        space = train.stored.space
        listed = space.euclidean if metric == "euclidean" else space.cosine
        if listed.indices.shape[1] >= k:
            return listed.indices[:, :k]
    rows = train.array
    return np.asarray(nearest(rows, rows, k=k, metric=metric, exclude_self=True).indices)


def identical_pairs(by_role: Mapping[str, FeatureSet]) -> set[RowPair]:
    """Images whose stored bytes are equal: each with the next of its kind."""
    rows_by_content: dict[bytes, list[int]] = {}
    start = 0
    for features in by_role.values():
        hashes = features.content_hashes
        if hashes is None:
            raise AssertionError("duplicates are searched for among images")
        for row, content in enumerate(hashes, start):
            rows_by_content.setdefault(content.tobytes(), []).append(row)
        start += len(hashes)
    return {pair for rows in rows_by_content.values() for pair in pairwise(rows)}
