"""The closest generated/training pairs, with their pictures, for a person to look at."""

from __future__ import annotations

import io

import numpy as np
from PIL import Image

from genmem.images import decode
from genmem.neighbors import Nearest
from genmem.results import Pair
from genmem.scoring.inputs import Rows

MAXIMUM_SIDE = 256
"""Pixels; larger images are shown reduced to it."""


def picture_of(rows: Rows, row: int) -> Image.Image | None:
    """The image of a row, at most MAXIMUM_SIDE on a side; None where the set came as features."""
    if rows.source is None:
        return None
    position = int(rows.positions[row])
    pixels = decode(rows.source.content(position), name=rows.source.describe(position))
    image = Image.fromarray(pixels)
    image.thumbnail((MAXIMUM_SIDE, MAXIMUM_SIDE))
    return image


PAIRS = 24


def closest_pairs(found: Nearest, *, generated: Rows, train: Rows) -> tuple[Pair, ...]:
    """The PAIRS generated rows nearest to their training row, nearest first.

    Args:
        found: the search of generated in train; the first neighbour is shown.
        generated: the generated set.
        train: the training set.
    """
    order = np.argsort(found.distances[:, 0], kind="stable")[:PAIRS]
    return tuple(
        Pair(
            generated_id=str(generated.ids[row]),
            train_id=str(train.ids[neighbor]),
            distance=float(found.distances[row, 0]),
            generated_png=_png(generated, int(row)),
            train_png=_png(train, int(neighbor)),
        )
        for row, neighbor in zip(order, found.indices[order, 0], strict=True)
    )


def _png(rows: Rows, row: int) -> bytes | None:
    image = picture_of(rows, row)
    if image is None:
        return None
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()
