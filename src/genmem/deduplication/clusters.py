"""Pairs → clusters of one picture, and the images of each that are kept."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from genmem.deduplication.results import Cluster, ImageFile, Match


def find_clusters(
    matches: Iterable[Match], images: Mapping[int, ImageFile], *, rows: int
) -> tuple[Cluster, ...]:
    """Images that repeat each other, directly or through others, and which of them to keep.

    Images are taken in turn: first those that the training images are compared against, which are
    all kept, then by most pixels, largest file and row. An image that matches one that is kept is
    deleted, any other is kept. So each deleted image matches a kept one directly, and of a chain of
    matches A-B-C both ends are kept where A and C do not match. Identical files are one image:
    what matches one of them matches all.

    Args:
        matches: those of kind "part" join no cluster.
        images: the images in matches, by row.
        rows: number of images altogether.
    """
    matches = [match for match in matches if match.kind != "part"]
    if not matches:
        return ()
    pairs = [(match.first, match.second) for match in matches]
    contents = _connected(
        [(match.first, match.second) for match in matches if match.kind == "identical"], rows
    )
    neighbors: dict[int, set[int]] = {}
    for first, second in pairs:
        a, b = contents[first], contents[second]
        neighbors.setdefault(a, {a}).add(b)
        neighbors.setdefault(b, {b}).add(a)
    labels = _connected(pairs, rows)
    members: dict[int, list[int]] = {}
    for row in np.unique(pairs).tolist():
        members.setdefault(labels[row], []).append(row)
    return tuple(_cluster(group, images, contents, neighbors) for group in sorted(members.values()))


def _connected(pairs: Sequence[tuple[int, int]], rows: int) -> list[int]:
    """The connected component of each row."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    first, second = np.array(pairs, np.int64).reshape(-1, 2).T
    links = coo_array((np.ones(len(pairs)), (first, second)), shape=(rows, rows))
    return connected_components(links, directed=False)[1].tolist()


def _cluster(
    rows: list[int],
    images: Mapping[int, ImageFile],
    contents: Sequence[int],
    neighbors: Mapping[int, set[int]],
) -> Cluster:
    """One cluster.

    Args:
        rows: its images, ascending.
        images: by row.
        contents: a number by row, the same for identical files.
        neighbors: by such a number, those that it matches, itself too.
    """
    kept = [row for row in rows if images[row].role == "against"]
    kept_contents = {contents[row] for row in kept}
    train = [row for row in rows if images[row].role == "train"]
    for row in sorted(train, key=lambda row: (_rank(images[row]), row)):
        if neighbors[contents[row]].isdisjoint(kept_contents):
            kept.append(row)
            kept_contents.add(contents[row])
    deleted = tuple(row for row in train if row not in kept)
    return Cluster(rows=tuple(rows), kept=tuple(sorted(kept)), deleted=deleted)


def _rank(image: ImageFile) -> tuple[int, int]:
    """Smaller is better: more pixels, then a larger file; what is not known does not count."""
    return -(image.width or 0) * (image.height or 0), -(image.bytes or 0)
