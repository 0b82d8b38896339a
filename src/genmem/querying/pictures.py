"""Which near training images show the same picture, as far as their thumbnails tell."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from genmem.auditing.duplicates import NEAR
from genmem.auditing.same_picture import (
    LEAST_AGREEMENT,
    LEAST_AGREEMENT_SMALL,
    SIDES,
    agreement,
    picture_details,
)
from genmem.metrics.copied_fraction import NO_DISTANCE
from genmem.neighbors import Metric

Pixels = NDArray[np.uint8]


def near_neighbors(distances: NDArray[np.float64], metric: Metric) -> NDArray[np.bool_]:
    """Which neighbors are nearer than neighbors usually are, by the rule of an audit's duplicates.

    Args:
        distances: of one image's neighbors, nearest first, float64 [k]; the last is compared with.
        metric: of the space.
    """
    if len(distances) < 2:
        return distances <= NO_DISTANCE
    if distances[-1] <= 0:
        return np.ones(len(distances), dtype=bool)
    relative = distances / distances[-1]
    return (relative if metric == "euclidean" else np.sqrt(relative)) <= NEAR[metric]


def same_pictures(image: Pixels, near: list[Pixels], different: list[Pixels]) -> list[bool]:
    """Whether each near picture shows what `image` shows; the others are merely alike.

    A pair must agree in its details by more than the least agreement of `same_picture`, and by more
    than any picture that is taken to be different.

    Args:
        image: uint8 [H, W, 3].
        near: of training images, of any sizes.
        different: of training images that are not near.
    """
    smallest = min(min(one.shape[:2]) for one in (image, *near, *different))
    side = int(np.clip(smallest, *SIDES))
    details = picture_details(image, side)
    least = LEAST_AGREEMENT if side == SIDES[1] else LEAST_AGREEMENT_SMALL
    reached = max(
        (agreement(details, picture_details(one, side)) for one in different), default=least
    )
    return [agreement(details, picture_details(one, side)) > max(least, reached) for one in near]
