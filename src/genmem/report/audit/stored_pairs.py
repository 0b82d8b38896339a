"""`pairs.json`: the pairs that a dossier shows, so that it can be rendered without the images."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from genmem.auditing.results import Audit
from genmem.report.audit.images import Album
from genmem.report.audit.regions import SharedRegion, shared_regions
from genmem.report.audit.tables import best_match
from genmem.report.common.templates import encode
from genmem.results import Json, to_json

FILE = "pairs.json"

NEAREST_UNFLAGGED = 12
"""Pairs that are stored though they are not flagged, the most suspicious first."""


@dataclass(frozen=True, kw_only=True)
class StoredPair:
    """A generated image and the training image that it is matched with.

    Attributes:
        row, train_row: their rows in the tables, from 0.
        generated, train: their ids.
        category: the training image's class; None without classes.
        flagged: whether the audit flags the generated image.
        p_value, q_value: of the generated image.
        space: the space of the match.
        augmentation: name of the training image's augmentation in the match.
        distance, ratio: distance to the training image; divided by that to the second nearest.
        generated_picture, train_picture: paths in the folder; None if there is no picture.
        region: the region that both have; None where none was found.
    """

    row: int
    train_row: int
    generated: str
    train: str
    category: str | None
    flagged: bool
    p_value: float
    q_value: float
    space: str
    augmentation: str
    distance: float
    ratio: float
    generated_picture: str | None
    train_picture: str | None
    region: SharedRegion | None


def stored_pairs(audit: Audit, rows: NDArray[np.int64], album: Album) -> list[StoredPair]:
    """The flagged pairs on the page, then the most suspicious others; smallest p-value first.

    Args:
        audit: the result of `genmem.audit`.
        rows: `page_rows(audit)`.
        album: the picture files.
    """
    flagged = audit.flagged[rows]
    chosen = np.concatenate([rows[flagged], rows[~flagged][:NEAREST_UNFLAGGED]])
    matches = (values.tolist() for values in best_match(audit, chosen))
    return [
        StoredPair(
            row=row,
            train_row=train,
            generated=str(audit.generated_ids[row]),
            train=str(audit.train_ids[train]),
            category=None if audit.classes is None else audit.classes[train],
            flagged=bool(audit.flagged[row]),
            p_value=float(audit.p_values[row]),
            q_value=float(audit.q_values[row]),
            space=audit.spaces[int(audit.space[row])].name,
            augmentation=audit.augmentations[augmentation].name,
            distance=distance,
            ratio=ratio,
            generated_picture=album.path("generated", row),
            train_picture=album.path("train", train),
            region=region,
        )
        for row, train, augmentation, distance, ratio, region in zip(
            chosen.tolist(), *matches, shared_regions(audit, chosen), strict=True
        )
    ]


def write_pairs(pairs: Sequence[StoredPair], folder: Path) -> None:
    """Write `pairs.json`."""
    document = {"kind": "genmem audit pairs", "pairs": [to_json(asdict(pair)) for pair in pairs]}
    text = json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
    (folder / FILE).write_bytes(encode(text))


def read_pairs(document: Mapping[str, Json]) -> tuple[StoredPair, ...]:
    """The pairs of `pairs.json`.

    Raises:
        KeyError, TypeError: it is damaged.
    """
    return tuple(_read_pair(pair) for pair in document["pairs"])


def _read_pair(pair: Mapping[str, Json]) -> StoredPair:
    values = {name: pair[name] for name in StoredPair.__dataclass_fields__}
    if region := values["region"]:
        first, second = (tuple(row) for row in region["to_train"])
        values["region"] = SharedRegion(
            generated=tuple(tuple(corner) for corner in region["generated"]),
            train=tuple(tuple(corner) for corner in region["train"]),
            to_train=(first, second),
        )
    return StoredPair(**values)
