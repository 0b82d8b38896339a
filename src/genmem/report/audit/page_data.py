"""The rows of the audit's page as JSON, by columns: what the table shows, and what a pair adds."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genmem.auditing.results import Audit, Space
from genmem.formatting import printable
from genmem.report.audit.images import FOLDER, Album
from genmem.results import to_json

NEIGHBOURS = 20
"""Nearest training images listed for each space at most; the tables hold all."""

SUFFIXES = ("", ".png", ".webp")


def page_data(audit: Audit, rows: NDArray[np.int64], album: Album) -> tuple[str, str]:
    """Two JSON documents that may stand inside `<script>` elements: the table, and the pairs.

    The page reads the second, larger one when somebody opens a pair. Texts are `printable`;
    nothing in them can end the element. p- and q-values are in full precision, so that filters
    agree with the flags; distances have six digits.

    Args:
        audit: what was found.
        rows: `page_rows(audit)`.
        album: the pictures there are.
    """
    nearest, change, distance, ratio = _telling(audit, rows)
    images, places = np.unique(nearest, return_inverse=True)
    others = np.setdiff1d(
        np.concatenate([one.train[rows, :NEIGHBOURS].ravel() for one in audit.spaces]), images
    )
    table = {
        "folder": FOLDER,
        "suffixes": SUFFIXES,
        "spaces": [printable(space.name) for space in audit.spaces],
        "transformations": [
            {"phrase": one.phrase, "mirrored": one.mirrored, "box": one.box}
            for one in audit.transformations
        ],
        "train": _train(audit, images, album),
        "rows": {
            "row": rows,
            "id": [printable(audit.generated_ids[row]) for row in map(int, rows)],
            "picture": _suffixes(album.generated, rows),
            "flagged": audit.flagged[rows].astype(int),
            "p": audit.p_values[rows],
            "q": audit.q_values[rows],
            "space": audit.space[rows],
            "nearest": places,
            "change": change,
            "distance": _rounded(distance),
            "ratio": _rounded(ratio),
        },
    }
    pairs = {
        "others": [printable(audit.train_ids[row]) for row in map(int, others)],
        "spaces": [_space(space, rows, images, others) for space in audit.spaces],
    }
    return _json(table), _json(pairs)


def _telling(audit: Audit, rows: NDArray[np.int64]) -> tuple[NDArray[Any], ...]:
    """Training row, transformation, distance and ratio in the space that tells most: [rows] each.

    The rows need not be in order.
    """
    place = audit.space[rows]
    columns = (
        [space.train[rows, 0] for space in audit.spaces],
        [space.transformations[rows, 0] for space in audit.spaces],
        [space.distances[rows, 0] for space in audit.spaces],
        [space.ratio[rows] for space in audit.spaces],
    )
    return tuple(np.stack(column)[place, np.arange(len(rows))] for column in columns)


def _train(audit: Audit, images: NDArray[np.int64], album: Album) -> dict[str, Any]:
    """The training images in the table, by columns; `class` points into `classes`."""
    named = audit.categories
    categories = [] if named is None else [named[row] or "" for row in map(int, images)]
    classes = sorted(set(categories))
    places = {name: place for place, name in enumerate(classes)}
    return {
        "row": images,
        "id": [printable(audit.train_ids[row]) for row in map(int, images)],
        "picture": _suffixes(album.train, images),
        "class": [places[name] for name in categories],
        "classes": [printable(name) for name in classes],
    }


def _space(
    space: Space, rows: NDArray[np.int64], images: NDArray[np.int64], others: NDArray[np.int64]
) -> dict[str, Any]:
    """One space by columns; `train` [n · k], row by row, points into `images`, then `others`."""
    k = min(space.distances.shape[1], NEIGHBOURS)
    train = space.train[rows, :k].ravel()
    place = np.searchsorted(images, train)
    known = images[np.minimum(place, len(images) - 1)] == train
    return {
        "statistic": printable(space.statistic_name),
        "k": k,
        "p": _rounded(space.p_values[rows]),
        "value": _rounded(space.statistic[rows]),
        "ratio": _rounded(space.ratio[rows]),
        "train": np.where(known, place, len(images) + np.searchsorted(others, train)),
        "distance": _rounded(space.distances[rows, :k].ravel()),
        "change": space.transformations[rows, :k].ravel(),
    }


def _suffixes(suffix: dict[int, str], rows: NDArray[np.int64]) -> list[int]:
    """Of each row the place of its picture's ending in `SUFFIXES`; 0 where there is none."""
    return [SUFFIXES.index(suffix.get(row, "")) for row in map(int, rows)]


def _rounded(values: NDArray[np.float64]) -> list[float]:
    return [float(f"{value:.6g}") for value in values.tolist()]


def _json(document: dict[str, Any]) -> str:
    text = json.dumps(to_json(document), separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c")
