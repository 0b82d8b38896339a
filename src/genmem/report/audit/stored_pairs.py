"""`pairs.json`: the pairs that a dossier shows, so that it can be rendered without the images."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import BeforeValidator, Field

from genmem.auditing.results import Audit
from genmem.report.audit.images import FOLDER, FULL, ROLES, Album
from genmem.report.audit.regions import SharedRegion, shared_regions
from genmem.report.audit.tables import best_match
from genmem.report.common.templates import encode
from genmem.results import to_json

FILE = "pairs.json"

NEAREST_UNFLAGGED = 12
"""Pairs that are stored though they are not flagged, the most suspicious first."""

Row = Annotated[int, Field(ge=0)]
Probability = Annotated[float, Field(ge=0, le=1)]
Number = Annotated[float, BeforeValidator(lambda value: np.nan if value is None else value)]
"""Stored as null where it is not finite."""

PicturePath = Annotated[
    str, Field(pattern=rf"\A{FOLDER}/({'|'.join(ROLES)})/({FULL}/)?[0-9]{{1,18}}\.(png|jpg|webp)\z")
]
"""As `images.Album` names picture files: no path leads out of their folder."""


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

    row: Row
    train_row: Row
    generated: str
    train: str
    category: str | None
    flagged: bool
    p_value: Probability
    q_value: Probability
    space: str
    augmentation: str
    distance: Number
    ratio: Number
    generated_picture: PicturePath | None
    train_picture: PicturePath | None
    region: SharedRegion | None


@dataclass(frozen=True, kw_only=True)
class StoredPairs:
    """The document `pairs.json`; `dossier.schema.check_json` reads it.

    Attributes:
        kind: what the file is.
        pairs: smallest p-value first.
    """

    kind: Literal["genmem audit pairs"]
    pairs: tuple[StoredPair, ...]


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
