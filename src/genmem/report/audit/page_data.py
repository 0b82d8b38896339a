"""The rows of the audit's page as JSON columns: those of the table, and the details of a pair."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genmem.auditing.results import Audit
from genmem.auditing.space_results import SpaceResult
from genmem.formatting import printable
from genmem.report.audit.images import FOLDER, FULL, Album
from genmem.report.audit.regions import shared_regions
from genmem.report.audit.tables import best_match
from genmem.report.audit.text import is_comparable
from genmem.results import to_json

NEIGHBORS = 20
"""Nearest training images listed per space; the output tables hold all."""

SUFFIXES = ("", ".png", ".webp", ".jpg")


def page_data(audit: Audit, rows: NDArray[np.int64], album: Album) -> tuple[str, str]:
    """Two JSON documents for `<script>` elements: the table, and the details of the pairs.

    The page parses the second, larger one when a pair is opened. Texts are `printable`, and
    nothing in them can end the element. p- and q-values have full precision, so that filters
    agree with the flags; distances have six digits.

    Args:
        audit: the result of `genmem.audit`.
        rows: `page_rows(audit)`.
        album: the picture files.
    """
    nearest, augmentation, distance, ratio = best_match(audit, rows)
    images, nearest_index = np.unique(nearest, return_inverse=True)
    others = np.setdiff1d(
        np.concatenate([space.train[rows, :NEIGHBORS].ravel() for space in audit.spaces]), images
    )
    table = {
        "digest": audit.digest(),
        "comparable": is_comparable(audit),
        "folder": FOLDER,
        "full": FULL,
        "suffixes": SUFFIXES,
        "spaces": [printable(space.name) for space in audit.spaces],
        "augmentations": [
            {
                "phrase": item.phrase,
                "mirrored": item.mirrored,
                "degrees": item.degrees,
                "box": item.box,
                "gray": item.gray,
            }
            for item in audit.augmentations
        ],
        "train": _train(audit, images, album),
        "rows": {
            "row": rows,
            "id": [printable(audit.generated_ids[row]) for row in map(int, rows)],
            "picture": _suffixes(album.generated, rows),
            "full": _suffixes(album.full.get("generated", {}), rows),
            "flagged": audit.flagged[rows].astype(int),
            "p": audit.p_values[rows],
            "q": audit.q_values[rows],
            "space": audit.space[rows],
            "nearest": nearest_index,
            "augmentation": augmentation,
            "distance": _rounded(distance),
            "ratio": _rounded(ratio),
        },
    }
    pairs = {
        "others": {
            "row": others,
            "id": [printable(audit.train_ids[row]) for row in map(int, others)],
            "picture": _suffixes(album.train, others),
        },
        "regions": [region and region.page_data() for region in shared_regions(audit, rows)],
        "spaces": [_space(space, rows, images, others) for space in audit.spaces],
    }
    return _json(table), _json(pairs)


def _train(audit: Audit, images: NDArray[np.int64], album: Album) -> dict[str, Any]:
    """The training images in the table, by columns; `class` points into `classes`."""
    categories = audit.classes
    names = [] if categories is None else [categories[row] or "" for row in map(int, images)]
    classes = sorted(set(names))
    index = {name: position for position, name in enumerate(classes)}
    return {
        "row": images,
        "id": [printable(audit.train_ids[row]) for row in map(int, images)],
        "picture": _suffixes(album.train, images),
        "full": _suffixes(album.full.get("train", {}), images),
        "class": [index[name] for name in names],
        "classes": [printable(name) for name in classes],
    }


def _space(
    space: SpaceResult,
    rows: NDArray[np.int64],
    images: NDArray[np.int64],
    others: NDArray[np.int64],
) -> dict[str, Any]:
    """One space by columns; `train` [n · k], row by row, points into `images`, then `others`."""
    k = min(space.distances.shape[1], NEIGHBORS)
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
        "augmentation": space.augmentations[rows, :k].ravel(),
    }


def _suffixes(suffix: dict[int, str], rows: NDArray[np.int64]) -> list[int]:
    """Each row's index into `SUFFIXES`; 0 if it has no picture."""
    return [SUFFIXES.index(suffix.get(row, "")) for row in map(int, rows)]


def _rounded(values: NDArray[np.float64]) -> list[float]:
    return [float(f"{value:.6g}") for value in values.tolist()]


def _json(document: dict[str, Any]) -> str:
    text = json.dumps(to_json(document), separators=(",", ":"), allow_nan=False)
    return text.replace("<", "\\u003c")
