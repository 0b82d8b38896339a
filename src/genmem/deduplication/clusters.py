"""Pairs → clusters of one picture, and the image of each that is kept."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from genmem.deduplication.results import Cluster, ImageFile, Match


def find_clusters(
    matches: Iterable[Match], images: Mapping[int, ImageFile], *, rows: int
) -> tuple[Cluster, ...]:
    """Images that repeat each other, directly or through others.

    Kept is the image with the most pixels; of several the largest file; of these the first. Where a
    cluster holds images that the training images are compared against, they are kept, and all
    training images in it are deleted.

    Args:
        matches: those of kind "part" join no cluster.
        images: the images in matches, by row.
        rows: number of images altogether.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    pairs = [(match.first, match.second) for match in matches if match.kind != "part"]
    if not pairs:
        return ()
    first, second = np.array(pairs).T
    links = coo_array((np.ones(len(pairs)), (first, second)), shape=(rows, rows))
    labels = connected_components(links, directed=False)[1]
    members: dict[int, list[int]] = {}
    for row in np.unique(pairs).tolist():
        members.setdefault(int(labels[row]), []).append(row)
    return tuple(_cluster(group, images) for group in sorted(members.values()))


def _cluster(rows: list[int], images: Mapping[int, ImageFile]) -> Cluster:
    kept = [row for row in rows if images[row].role == "against"]
    train = [row for row in rows if images[row].role == "train"]
    if not kept:
        kept = [min(train, key=lambda row: (_rank(images[row]), row))]
    deleted = [row for row in train if row not in kept]
    return Cluster(rows=tuple(rows), kept=tuple(kept), deleted=tuple(deleted))


def _rank(image: ImageFile) -> tuple[int, int]:
    """Smaller is better: more pixels, then a larger file."""
    return -image.width * image.height, -image.bytes
