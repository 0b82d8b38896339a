"""Candidate training images by their local descriptors: an inverted file that only proposes.

Every descriptor of a query votes for the training images that hold its nearest descriptors, by how
much nearer they are than its background, the distance to the tenth nearest training image
(McCann and Lowe 2012, "Local Naive Bayes Nearest Neighbor for Image Classification"): what many
training images share, such as borders, logos and plain corners, votes for none of them. The search
looks into a few cells of the index, so it may miss; what it proposes is verified.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genmem.auditing.local.keypoints import DIMENSION, SCALE, Keypoints, KeypointSet
from genmem.images import Progress

Ints = NDArray[np.int64]

BACKGROUND = 10
"""Rank of the training image whose distance a match is compared with."""

NEIGHBORS = 24
"""Descriptors looked up for each of a query's; several may belong to one training image."""

OVERLAY = 0.2
"""Ten training images within this distance, of descriptors of length 1, hold the same thing: a
watermark, a logo, a caption. Such descriptors match nothing."""

MOST_OVERLAYS = 0.5
"""Where more of all descriptors are of that kind (pages of text, line drawings), they are used."""

INDEX_POINTS = 2_000_000
"""Descriptors in the index at most, 128 bytes each: fewer an image where images are many."""

_OWN = 16
_MOST_NEIGHBORS = 256
_PROBES = 8
_PER_CELL = 128
_MOST_CELLS = 4_096
_TRAINED_ON = 40
_ITERATIONS = 5
_SAMPLE = 1_000
_BLOCK = 65_536


@dataclass(frozen=True)
class Votes:
    """What the index says of one query.

    Attributes:
        images: int64 [r], training rows, most votes first.
        background: float32 [p], for each of its descriptors the squared distance of the background.
    """

    images: Ints
    background: NDArray[np.float32]


@dataclass(frozen=True)
class DescriptorIndex:
    """The descriptors of the training images.

    Attributes:
        index: a faiss index of 8-bit vectors; None where the training images have no keypoints.
        owners: int64, the training row of each vector.
        overlay: `OVERLAY`, or 0 where most training images consist of such descriptors.
    """

    index: Any
    owners: Ints
    overlay: float = 0.0

    def vote(self, keypoints: Keypoints, *, most: int, own: Ints) -> Votes:
        """The training images that a query's descriptors vote for.

        Args:
            keypoints: of the query.
            most: number of images to return at most.
            own: int64, training rows that get no vote: the query itself and its group.
        """
        descriptors = keypoints.descriptors
        if self.index is None or not len(descriptors):
            none = np.full(len(descriptors), np.inf, np.float32)
            return Votes(np.empty(0, np.int64), none)
        k = min(NEIGHBORS + _OWN * len(own), _MOST_NEIGHBORS, len(self.owners))
        distances, found = self.index.search(descriptors.astype(np.float32), k)
        owners = np.where(found < 0, -1, self.owners[found])
        farthest = np.where(found < 0, 0, distances).max(axis=1)
        distances = np.where((found < 0) | np.isin(owners, own), np.inf, distances)
        return _count(distances, owners, farthest, most=most, overlay=self.overlay)


def _count(
    distances: NDArray[np.float32],
    owners: Ints,
    farthest: NDArray[np.float32],
    *,
    most: int,
    overlay: float,
) -> Votes:
    """Votes from the nearest neighbors of each descriptor.

    Args:
        distances: float32 [p, k], squared; infinite for neighbors that do not count.
        owners: int64 [p, k], the training rows that they belong to.
        farthest: float32 [p], the background where fewer images than its rank are near.
        most: images to return at most.
        overlay: descriptors of a nearer background match nothing.
    """
    order = np.argsort(distances, axis=1, kind="stable")[:, :NEIGHBORS]
    distances = np.take_along_axis(distances, order, axis=1)
    owners = np.take_along_axis(owners, order, axis=1)
    is_first = np.isfinite(distances)
    for column in range(1, owners.shape[1]):
        is_first[:, column] &= (owners[:, :column] != owners[:, column, None]).all(axis=1)
    is_background = is_first & (np.cumsum(is_first, axis=1) == BACKGROUND)
    at_rank = distances[np.arange(len(distances)), is_background.argmax(axis=1)]
    last = np.where(np.isfinite(distances), distances, -1).max(axis=1)
    last = np.where(last < 0, farthest, last)
    background = np.where(is_background.any(axis=1), at_rank, last).astype(np.float32)
    background[background < (overlay * SCALE) ** 2] = 0
    is_vote = is_first & (distances < background[:, None])
    votes = 1 - np.where(is_vote, distances, 0) / np.maximum(background, 1)[:, None]
    images, place = np.unique(owners[is_vote], return_inverse=True)
    totals = np.bincount(place, weights=votes[is_vote], minlength=len(images))
    best = np.lexsort((images, -totals))[:most]
    return Votes(images[best].astype(np.int64), background)


def build_index(
    train: KeypointSet, rows: Ints, *, seed: int, progress: Progress | None = None
) -> DescriptorIndex:
    """Index the descriptors of the given training images, of equal ones those of the first.

    Centroids and descriptors are whole numbers below 256, so that all products are exact in
    float32 and the index does not depend on the number of threads.

    Args:
        train: keypoints of all training images.
        rows: int64, ascending, the training images to index.
        seed: chooses the descriptors that the cells are made from.
        progress: told how many images are done.
    """
    import faiss

    rows = rows[_first_of_equals(train, rows)]
    most = max(32, INDEX_POINTS // max(1, len(rows)))
    chosen, owners = _choose(train, rows, most)
    if not len(chosen):
        return DescriptorIndex(None, owners)
    cells = int(np.clip(len(chosen) // _PER_CELL, 1, _MOST_CELLS))
    sample = np.random.default_rng(seed).permutation(len(chosen))[: cells * _TRAINED_ON]
    quantizer = faiss.IndexFlatL2(DIMENSION)
    index = faiss.IndexIVFScalarQuantizer(
        quantizer,
        DIMENSION,
        cells,
        faiss.ScalarQuantizer.QT_8bit_direct,
        faiss.METRIC_L2,
        False,
    )
    index.cp.int_centroids = True
    index.cp.niter = _ITERATIONS
    index.cp.seed = 1
    index.cp.min_points_per_centroid = 1
    index.nprobe = _PROBES
    index.train(train.rows[chosen[np.sort(sample)], 16:].astype(np.float32))
    for start in range(0, len(chosen), _BLOCK):
        index.add(train.rows[chosen[start : start + _BLOCK], 16:].astype(np.float32))
        if progress:
            progress("train: index of keypoints", min(start + _BLOCK, len(chosen)), len(chosen))
    return _with_overlay(DescriptorIndex(index, owners), train, chosen)


def _with_overlay(index: DescriptorIndex, train: KeypointSet, chosen: Ints) -> DescriptorIndex:
    """The index with its `overlay`, from a sample of its own descriptors."""
    sample = chosen[np.unique(np.linspace(0, len(chosen) - 1, _SAMPLE).astype(np.int64))]
    points = np.zeros((len(sample), 4), np.float32)
    keypoints = Keypoints(points, np.array(train.rows[sample, 16:]), 1, 1)
    background = index.vote(keypoints, most=1, own=np.empty(0, np.int64)).background
    share = float((background < (OVERLAY * SCALE) ** 2).mean())
    return replace(index, overlay=OVERLAY if share <= MOST_OVERLAYS else 0.0)


def _first_of_equals(train: KeypointSet, rows: Ints) -> Ints:
    """Positions of images whose keypoints no earlier image has.

    An image that the training set holds ten times would else be its own background.
    """
    seen: dict[bytes, int] = {}
    for position, row in enumerate(rows.tolist()):
        content = train.rows[train.ends[row] : train.ends[row + 1]].tobytes()
        seen.setdefault(blake2b(content, digest_size=16).digest(), position)
    return np.array(sorted(seen.values()), np.int64)


def _choose(train: KeypointSet, rows: Ints, most: int) -> tuple[Ints, Ints]:
    """The first `most` descriptors of each image (spread over it), and the images they are of."""
    starts = train.ends[rows]
    counts = np.minimum(train.ends[rows + 1] - starts, most)
    owners = np.repeat(rows, counts)
    offsets = np.arange(len(owners)) - np.repeat(np.cumsum(counts) - counts, counts)
    return np.repeat(starts, counts) + offsets, owners
