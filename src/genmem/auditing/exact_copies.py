"""Images that are equal to a training image, to the byte or to the pixel."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from genmem.auditing.augment_option import UNCHANGED
from genmem.auditing.feature_spaces import SpaceSearch
from genmem.auditing.search import Matches
from genmem.auditing.space_results import Bools, Floats
from genmem.errors import InputError
from genmem.images import decode
from genmem.scoring.exact_copies import NO_DISTANCE
from genmem.scoring.feature_sets import FeatureSet, FeatureSets

MOST = 2_000
"""Images of a set whose pixels are compared; a larger number of equal features is believed."""


def equal_images(
    sets: FeatureSets, searches: Sequence[SpaceSearch]
) -> tuple[Floats, Floats | None]:
    """Distances that are 0 for images equal to a training image and 1 for all others.

    Images of the same features in the first space are compared pixel by pixel where the images are
    here.

    Args:
        sets: the sets in the first space.
        searches: of every space; the first is used.

    Returns:
        float64 [n] of the generated images, and [m] of the held-out ones; None without these.
    """
    search = searches[0]
    generated = _differs(sets, "generated", search.generated[UNCHANGED])
    if search.honest_rows is not None or "test" not in sets.by_role:
        return generated, None
    return generated, _differs(sets, "test", search.honest[UNCHANGED])


def _differs(sets: FeatureSets, role: str, matches: Matches) -> Floats:
    near: Bools = matches.distances[:, 0] <= NO_DISTANCE
    first, train = sets.by_role[role], sets.by_role["train"]
    rows = np.flatnonzero(near)
    if first.source is not None and train.source is not None and len(rows) <= MOST:
        for row in rows.tolist():
            near[row] = _same_pixels(first, row, train, int(matches.train[row, 0]))
    return np.where(near, 0.0, 1.0)


def _same_pixels(first: FeatureSet, row: int, train: FeatureSet, train_row: int) -> bool:
    try:
        return bool(np.array_equal(_pixels(first, row), _pixels(train, train_row)))
    except InputError:  # it changed or vanished since its features were extracted
        return False


def _pixels(images: FeatureSet, row: int) -> np.ndarray:
    if images.source is None:
        raise AssertionError("features have no pixels")
    position = int(images.positions[row])
    return decode(images.source.content(position), name=images.source.describe(position))
