"""Whether two pictures show the same thing, detail by detail, or are merely alike.

A feature space calls two dogs of one kind near. What tells the same picture, recompressed, resized,
mirrored or slightly cropped, from a picture that is alike is whether edges and texture lie at the
same places: the correlation of the high-passed pictures, at the best of a few zooms and shifts. It
is near 1 for the former, also at JPEG quality 20, and below about 0.6 for different photographs,
the nearest neighbors among them (`docs/detection.md`).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from genmem.images.prefetch import map_in_order, usable_cores
from genmem.scoring.closest import row_image
from genmem.scoring.feature_sets import FeatureSet

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

LEAST_AGREEMENT, LEAST_AGREEMENT_SMALL = 0.85, 0.7
"""Below it no pair is called the same picture, whatever the other pictures are like; the second at
less than the largest of `SIDES`, where recompressing alone costs more of the details."""

MOST_COMPARED = 10_000
"""Pairs that are compared detail by detail, the nearest first: at 500 × 375 about 6 ms each."""

CALIBRATION_IMAGES = 100
"""Images whose agreement with other images says what different pictures reach."""

SIDES = (16, 64)
"""Smallest and largest side in pixels at which pictures are compared."""

_ZOOMS = (1.0, 0.95, 0.9, 0.85, 0.8)
_REACH = 0.1
_BLUR = 2.0
_FLAT = 1.0
"""Shares of the side that crops leave; largest shift as a share of the side; deviation in pixels of
the blur that is subtracted; standard deviation in gray levels below which a picture has no details.
"""

RowPairs = tuple[Ints, Ints]
"""Rows of a first set, and of a second, one pair a position: int64 [p] each."""


@dataclass(frozen=True)
class Details:
    """A picture's edges and texture, unit-norm, at a few zooms, as spectra: complex [zooms, S, ·].

    Attributes:
        straight: of the picture.
        mirrored: of its mirror image.
        side: S, pixels.
    """

    straight: NDArray[np.complexfloating]
    mirrored: NDArray[np.complexfloating]
    side: int


def picture_details(pixels: NDArray[np.uint8], side: int) -> Details:
    """The details of a picture.

    Args:
        pixels: uint8 [H, W, 3].
        side: of the square that its luminance is stretched to, in pixels.
    """
    from scipy.ndimage import gaussian_filter

    gray = Image.fromarray(pixels).convert("L")
    if (factor := min(gray.size) // (2 * side)) > 1:
        gray = gray.reduce(factor)  # large pictures cost no more than small ones
    layers = np.empty((len(_ZOOMS), side, side), np.float32)
    for layer, zoom in zip(layers, _ZOOMS, strict=True):
        left, top = gray.width * (1 - zoom) / 2, gray.height * (1 - zoom) / 2
        box = (left, top, gray.width - left, gray.height - top)
        layer[:] = np.asarray(gray.resize((side, side), Image.Resampling.BILINEAR, box))
    layers -= gaussian_filter(layers, (0, _BLUR, _BLUR), mode="nearest")
    layers -= layers.mean(axis=(1, 2), keepdims=True)
    norms = np.linalg.norm(layers, axis=(1, 2), keepdims=True)
    layers = np.where(norms > _FLAT * side, layers / np.maximum(norms, _FLAT), np.float32(0))
    return Details(np.fft.rfft2(layers), np.fft.rfft2(layers[:, :, ::-1]), side)


def agreement(first: Details, second: Details) -> float:
    """The correlation of two pictures' details where they agree best, in [−1, 1].

    Either picture may be a crop of the other, shifted or mirrored. 0 where one has no details.

    Args:
        first: at some side.
        second: at the same side.
    """
    side, reach = first.side, max(1, round(_REACH * first.side))
    near = np.r_[0 : reach + 1, side - reach : side]
    best = -1.0
    for other in (second.straight, second.mirrored):
        products = np.concatenate(
            [first.straight[:1] * other.conj(), first.straight[1:] * other[:1].conj()]
        )
        correlation = np.fft.irfft2(products, s=(side, side))
        best = max(best, float(correlation[:, near][:, :, near].max()))
    return best


def find_same_pictures(
    first: FeatureSet, second: FeatureSet, pairs: RowPairs, different: RowPairs
) -> Bools:
    """Which pairs show the same picture; the others are merely alike.

    A pair must agree in its details by more than `LEAST_AGREEMENT` and by more than every pair of
    pictures that are taken to be different.

    Args:
        first: the set of the pairs' first images.
        second: the set of their second images.
        pairs: rows of the two sets, nearest first. Beyond `MOST_COMPARED` none is called the same.
        different: rows of the two sets that are near but show different pictures.

    Returns:
        bool [p]; all False where a set has no pictures.
    """
    same = np.zeros(len(pairs[0]), dtype=bool)
    if not (first.has_pictures and second.has_pictures and len(same)):
        return same
    compared = (pairs[0][:MOST_COMPARED], pairs[1][:MOST_COMPARED])
    side = _common_side(first, different[0] if len(different[0]) else pairs[0])
    least = LEAST_AGREEMENT if side == SIDES[1] else LEAST_AGREEMENT_SMALL
    reached = _agreements(first, second, different, side).max(initial=least)
    same[:MOST_COMPARED] = _agreements(first, second, compared, side) > reached
    return same


def _common_side(features: FeatureSet, rows: Ints) -> int:
    """The side at which pictures are compared: no larger than the smallest of some."""
    sides = [min(_pixels(features, int(row)).shape[:2]) for row in rows[:CALIBRATION_IMAGES]]
    return int(np.clip(min(sides), *SIDES))


def _agreements(first: FeatureSet, second: FeatureSet, pairs: RowPairs, side: int) -> Floats:
    def compare(rows: tuple[int, int]) -> float:
        details = (
            picture_details(_pixels(features, row), side)
            for features, row in zip((first, second), rows, strict=True)
        )
        return agreement(*details)

    workers = usable_cores()
    rows = zip(pairs[0].tolist(), pairs[1].tolist(), strict=True)
    return np.fromiter(map_in_order(compare, rows, workers=workers, ahead=4 * workers), float)


def _pixels(features: FeatureSet, row: int) -> NDArray[np.uint8]:
    image = row_image(features, row, largest_side=None)
    if image is None:
        raise AssertionError("features have no pictures")
    return np.asarray(image)
