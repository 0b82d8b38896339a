"""The closest generated/training pairs, with their pictures, for a person to look at."""

from __future__ import annotations

import io

import numpy as np

from genmem.neighbors import Nearest
from genmem.results import Pair
from genmem.scoring.inputs import Rows
from genmem.scoring.pictures import picture_of

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
