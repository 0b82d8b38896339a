"""SIFT keypoints of the images of a set, extracted in threads and stored compactly.

SIFT (Lowe 2004, "Distinctive Image Features from Scale-Invariant Keypoints") finds small,
distinctive places and describes each by its gradients, relative to a scale and an orientation of
its own. The descriptors are stored as RootSIFT (Arandjelović and Zisserman 2012: the square root of
the L1-normalized descriptor), rounded to 8 bits. Products of 8-bit integers are exact in float32,
so that no distance depends on blocks, threads or the BLAS.
"""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from genmem.formatting import set_name
from genmem.images import ImageSource, Progress, read_batches
from genmem.images.tempfiles import new_tempfile
from genmem.io.paths import temporary_file_errors

if TYPE_CHECKING:
    import cv2

SHORT_SIDE = 256
"""Images are resized to this short side, in pixels, before keypoints are detected."""

MOST_ENLARGED = 2.0
"""Small images are enlarged by this factor at most."""

LONG_SIDE = 1024
"""Images are reduced further where their long side would exceed this: panoramas and banners."""

MAX_POINTS = 300
"""Keypoints kept of an image."""

DIMENSION = 128
"""Length of a descriptor."""

SCALE = 512.0
"""A descriptor's Euclidean norm, nearly: its values are rounded, and end at 255."""

CELLS = 8
"""The image is divided into so many cells a side, and each keeps its strongest points first."""

_CONTRAST = 0.003
_ROW = 144
_BATCH = 64


@dataclass(frozen=True)
class Keypoints:
    """The keypoints of one image.

    Attributes:
        points: float32 [p, 4]: x and y in pixels of the original image, its size (diameter, in
            the same pixels) and orientation in radians.
        descriptors: uint8 [p, 128], RootSIFT.
        width, height: of the original image, in pixels.
    """

    points: NDArray[np.float32]
    descriptors: NDArray[np.uint8]
    width: int
    height: int


@dataclass(frozen=True)
class KeypointSet:
    """The keypoints of all images of a set, in a temporary file that ends with the object.

    Attributes:
        ends: int64 [n + 1]; image i has the rows `ends[i]` up to `ends[i + 1]`.
        sizes: int32 [n, 2], width and height of the original images.
        rows: uint8 [P, 144], memory-mapped: four float32, then the descriptor.
    """

    ends: NDArray[np.int64]
    sizes: NDArray[np.int32]
    rows: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.sizes)

    def image(self, number: int) -> Keypoints:
        """The keypoints of one image."""
        rows = np.array(self.rows[self.ends[number] : self.ends[number + 1]])
        width, height = self.sizes[number].tolist()
        return Keypoints(
            points=np.ascontiguousarray(rows[:, :16]).view(np.float32),
            descriptors=np.ascontiguousarray(rows[:, 16:]),
            width=width,
            height=height,
        )


def detect_keypoints(pixels: NDArray[np.uint8], *, most: int = MAX_POINTS) -> Keypoints:
    """SIFT keypoints of one image, spread over it.

    Args:
        pixels: uint8 [H, W, 3].
        most: keypoints to keep.

    Returns:
        The strongest of each cell first, then the second strongest, and so on: a part of the image
        keeps a part of the points.
    """
    import cv2

    height, width = pixels.shape[:2]
    gray = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    factor = min(MOST_ENLARGED, SHORT_SIDE / min(height, width), LONG_SIDE / max(height, width))
    if factor != 1:
        size = (max(1, round(width * factor)), max(1, round(height * factor)))
        way = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
        gray = cv2.resize(gray, size, interpolation=way)
    sift = cv2.SIFT.create(contrastThreshold=_CONTRAST)
    points = _spread(sift.detect(gray, None), gray.shape, most)
    descriptors: Any = None
    if points:
        points, descriptors = sift.compute(gray, points)
    if not points:
        return Keypoints(
            np.empty((0, 4), np.float32), np.empty((0, DIMENSION), np.uint8), width, height
        )
    across, down = width / gray.shape[1], height / gray.shape[0]
    table = [
        (
            (point.pt[0] + 0.5) * across - 0.5,
            (point.pt[1] + 0.5) * down - 0.5,
            point.size * across,
            np.deg2rad(point.angle),
        )
        for point in points
    ]
    return Keypoints(np.array(table, np.float32), _root_sift(descriptors), width, height)


def _spread(points: Any, shape: tuple[int, ...], most: int) -> list[cv2.KeyPoint]:
    """The strongest points, by rank within their cell; the order is that of their values alone."""
    if not points:
        return []
    values = np.array([(*p.pt, p.size, p.angle, p.response) for p in points], np.float64)
    order = np.lexsort((*values[:, :4].T, -values[:, 4]))
    cells = np.minimum(values[:, :2] / shape[1::-1] * CELLS, CELLS - 1).astype(np.int64)
    cell = (cells[:, 0] * CELLS + cells[:, 1])[order]
    by_cell = np.argsort(cell, kind="stable")
    starts = np.searchsorted(cell[by_cell], cell[by_cell], side="left")
    rank = np.empty(len(order), np.int64)
    rank[by_cell] = np.arange(len(order)) - starts
    chosen = np.sort(np.argsort(rank, kind="stable")[:most])
    first = np.argsort(rank[chosen], kind="stable")
    return [points[int(row)] for row in order[chosen[first]]]


def _root_sift(descriptors: NDArray[np.float32]) -> NDArray[np.uint8]:
    total = np.maximum(descriptors.sum(axis=1, keepdims=True), 1e-12)
    return np.minimum(np.rint(SCALE * np.sqrt(descriptors / total)), 255).astype(np.uint8)


def mirrored(keypoints: Keypoints) -> Keypoints:
    """The keypoints of the image with left and right exchanged, without detecting them again.

    A descriptor is a 4 × 4 grid of histograms of 8 orientations, in the keypoint's own frame,
    whose first axis is its orientation. Mirroring exchanges the other axis and the sense of the
    angles.
    """
    points = keypoints.points.copy()
    points[:, 0] = keypoints.width - 1 - points[:, 0]
    points[:, 3] = np.pi - points[:, 3]
    grid = keypoints.descriptors.reshape(-1, 4, 4, 8)[:, ::-1, :, -np.arange(8) % 8]
    descriptors = np.ascontiguousarray(grid).reshape(-1, DIMENSION)
    return Keypoints(points, descriptors, keypoints.width, keypoints.height)


def extract_keypoints(
    source: ImageSource,
    *,
    skip_broken: bool = False,
    progress: Progress | None = None,
    role: str = "",
) -> KeypointSet:
    """Keypoints of all images of a source, in order, without broken ones.

    Args:
        source: the images.
        skip_broken: leave out images that cannot be decoded.
        progress: told how many images are done.
        role: the set, for progress.

    Raises:
        InputError: as for `read_batches`.
        UsageError: the temporary folder cannot be written, or its disk is full.
    """
    counts: list[int] = []
    sizes: list[NDArray[np.int32]] = []
    batches = read_batches(source, transform=_pack, batch_size=_BATCH, skip_broken=skip_broken)
    with new_tempfile() as file, closing(batches):
        for number, batch in enumerate(batches, 1):
            for packed in batch.array if len(batch.positions) else ():
                count, *size = packed[0, :12].view(np.int32).tolist()
                with temporary_file_errors():
                    file.write(packed[1 : 1 + count].tobytes())
                counts.append(count)
                sizes.append(np.array(size, np.int32))
            if progress:
                progress(
                    f"{set_name(role)}: keypoints", min(number * _BATCH, len(source)), len(source)
                )
        with temporary_file_errors():
            file.flush()
        total = sum(counts)
        rows = np.empty((0, _ROW), np.uint8)
        if total:
            rows = np.memmap(file, np.uint8, mode="r", shape=(total, _ROW))
    ends = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    return KeypointSet(ends, np.array(sizes, np.int32).reshape(-1, 2), rows)


def _pack(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """An image's keypoints as uint8 [1 + MAX_POINTS, 144]; the first row has count and size."""
    keypoints = detect_keypoints(pixels)
    count = len(keypoints.points)
    packed = np.zeros((1 + MAX_POINTS, _ROW), np.uint8)
    header = np.array([count, keypoints.width, keypoints.height], np.int32)
    packed[0, :12] = header.view(np.uint8)
    packed[1 : 1 + count, :16] = np.ascontiguousarray(keypoints.points).view(np.uint8)
    packed[1 : 1 + count, 16:] = keypoints.descriptors
    return packed
