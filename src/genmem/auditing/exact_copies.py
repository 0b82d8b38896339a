"""Images that are equal to a training image, to the byte or to the pixel."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from genmem.auditing.augment_option import UNCHANGED
from genmem.auditing.feature_spaces import SpaceSearch
from genmem.auditing.search import Matches
from genmem.auditing.space_results import Bools, Floats
from genmem.errors import InputError
from genmem.reference.thumbnails import is_whole
from genmem.scoring.closest import row_image
from genmem.scoring.exact_copies import NO_DISTANCE
from genmem.scoring.feature_sets import FeatureSet, FeatureSets

MOST = 2_000
"""Images of a set whose pixels are compared; a larger number of equal features is believed."""


@dataclass(frozen=True, kw_only=True)
class EqualImages:
    """Distances that are 0 for images equal to a training image and 1 for all others.

    Attributes:
        generated: of the generated images, float64 [n].
        test: of the held-out ones, float64 [m]; None without these.
        to_the_pixel: pixels were compared; False: features alone.
    """

    generated: Floats
    test: Floats | None
    to_the_pixel: bool


def equal_images(sets: FeatureSets, searches: Sequence[SpaceSearch]) -> EqualImages:
    """The images equal to a training image.

    Images of the same features in the first space are compared pixel by pixel where the images are
    here, or a reference has whole pictures of them.

    Args:
        sets: the sets in the first space.
        searches: of every space; the first is used.
    """
    search = searches[0]
    generated, compared = _differs(sets, "generated", search.generated[UNCHANGED])
    test = None
    if search.honest_rows is None and "test" in sets.by_role:
        test, _ = _differs(sets, "test", search.honest[UNCHANGED])
    is_here = sets.by_role["train"].source is not None
    return EqualImages(generated=generated, test=test, to_the_pixel=is_here or compared)


def _differs(sets: FeatureSets, role: str, matches: Matches) -> tuple[Floats, bool]:
    """The distances of a set, and whether all pixels of near images were compared."""
    near: Bools = matches.distances[:, 0] <= NO_DISTANCE
    first, train = sets.by_role[role], sets.by_role["train"]
    rows = np.flatnonzero(near)
    compared = first.has_pictures and train.has_pictures and len(rows) <= MOST
    if compared:
        for row in rows.tolist():
            same = _same_pixels(first, row, train, int(matches.train[row, 0]))
            compared &= same is not None
            near[row] = same is not False
    return np.where(near, 0.0, 1.0), compared


def _same_pixels(first: FeatureSet, row: int, train: FeatureSet, train_row: int) -> bool | None:
    """Whether two images are equal; None where one of them is here reduced only."""
    if not (_is_whole(first, row) and _is_whole(train, train_row)):
        return None
    try:
        return bool(np.array_equal(_pixels(first, row), _pixels(train, train_row)))
    except InputError:  # it changed or vanished since its features were extracted
        return False


def _is_whole(images: FeatureSet, row: int) -> bool:
    return images.source is not None or is_whole(images.thumbnail(row) or b"")


def _pixels(images: FeatureSet, row: int) -> np.ndarray:
    image = row_image(images, row, largest_side=None)
    if image is None:
        raise AssertionError("features have no pixels")
    return np.asarray(image)
