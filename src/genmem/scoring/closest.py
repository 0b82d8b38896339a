"""The closest generated/training pairs, with their pictures, for a person to look at."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from genmem.images import decode
from genmem.neighbors import Nearest
from genmem.results import Pair
from genmem.scoring.feature_sets import FeatureSet

PAIRS = 24
"""Pairs that a score lists."""

MAXIMUM_SIDE = 256
"""Pixels; larger images are reduced to it."""


def row_image(
    features: FeatureSet, row: int, *, largest_side: int | None = MAXIMUM_SIDE
) -> Image.Image | None:
    """The image of a row; None where there is none, as of features.

    Args:
        features: the set.
        row: of the set.
        largest_side: a larger image is reduced to it, in pixels; None: it is not reduced.

    Returns:
        Of a reference its thumbnail, if it has one.
    """
    if features.source is None:
        picture = features.thumbnail(row)
        name = f"the thumbnail of {features.ids[row]}"
        return None if picture is None else Image.fromarray(decode(picture, name=name))
    position = int(features.positions[row])
    pixels = decode(features.source.content(position), name=features.source.describe(position))
    image = Image.fromarray(pixels)
    if largest_side is not None:
        image.thumbnail((largest_side, largest_side))
    return image


def closest_pairs(search: Nearest, *, generated: FeatureSet, train: FeatureSet) -> tuple[Pair, ...]:
    """The PAIRS generated rows nearest to their training row, nearest first.

    Args:
        search: nearest training rows of the generated rows; the first neighbor is listed.
        generated: the generated set.
        train: the training set.
    """
    order = np.argsort(search.distances[:, 0], kind="stable")[:PAIRS]
    return tuple(
        Pair(
            generated_id=str(generated.ids[row]),
            train_id=str(train.ids[neighbor]),
            distance=float(search.distances[row, 0]),
            generated_png=_png(generated, int(row)),
            train_png=_png(train, int(neighbor)),
        )
        for row, neighbor in zip(order, search.indices[order, 0], strict=True)
    )


def _png(features: FeatureSet, row: int) -> bytes | None:
    image = row_image(features, row)
    if image is None:
        return None
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()
