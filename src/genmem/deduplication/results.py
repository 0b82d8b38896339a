"""What a search for duplicates finds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from genmem.auditing.thumbnails import SourceThumbnails
from genmem.io.closable import Closable
from genmem.presenters import presenter
from genmem.results import InputSummary, Json, fields_to_json, to_json

Kind = Literal["identical", "same", "part"]
"""How two images repeat each other: the stored bytes are equal; one picture, resized, recompressed,
recolored, mirrored, turned or slightly cropped; or one holds a part of the other."""


@dataclass(frozen=True, kw_only=True)
class Match:
    """Two images that repeat each other.

    Attributes:
        first, second: rows: training images first, then those they are compared against.
        kind: how.
        agreement: correlation of their edges and texture where they fit best
            (`auditing.same_picture`), in [−1, 1].
        evidence: −log₁₀ of the number of false alarms of a shared region (`auditing.local`); 0
            where none was looked for or found.
        share: area of the shared region, as a share of the first and of the second image.
    """

    first: int
    second: int
    kind: Kind
    agreement: float
    evidence: float = 0.0
    share: tuple[float, float] = (0.0, 0.0)


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """Images that repeat each other, directly or through others.

    Attributes:
        rows: ascending.
        kept: of these, the images to keep: all images that the training images are compared
            against, and as many training images as it takes that no two of them match.
        deleted: the others, all of them training images that match a kept image directly.
    """

    rows: tuple[int, ...]
    kept: tuple[int, ...]
    deleted: tuple[int, ...]


@dataclass(frozen=True, kw_only=True)
class ImageFile:
    """What is known of an image in a match.

    Attributes:
        id: its id in its set.
        role: "train" or "against".
        width, height: in pixels; None where a reference has only a smaller picture.
        bytes: of the stored file; of the pixels for an array; None of a reference.
    """

    id: str
    role: str
    width: int | None
    height: int | None
    bytes: int | None

    def to_dict(self) -> dict[str, Json]:
        """The image as plain JSON."""
        return fields_to_json(self)


@dataclass(frozen=True, kw_only=True, repr=False)
class DuplicateSearch(Closable):
    """The result of `genmem.duplicates`. A notebook shows it as a table with pictures.

    Attributes:
        images: the images in matches, by row; rows of training images come first, then those that
            they are compared against.
        matches: identical files, then the same pictures, then parts; by rows within each.
        clusters: of identical files and same pictures, by their first row; matches of kind "part"
            join none, and delete nothing.
        train: number of training images.
        spaces: the feature spaces that proposed pairs.
        local: whether shared regions were looked for.
        compared: pairs that were looked at.
        inputs, provenance, seconds, notes: as in `Score`.
        pictures: the images; for pages.
    """

    images: Mapping[int, ImageFile]
    matches: tuple[Match, ...]
    clusters: tuple[Cluster, ...]
    train: int
    spaces: tuple[str, ...]
    local: bool
    compared: int
    inputs: Mapping[str, InputSummary]
    provenance: Mapping[str, Json]
    seconds: Mapping[str, float]
    notes: tuple[str, ...] = ()
    pictures: SourceThumbnails | None = field(default=None, repr=False, compare=False)

    @property
    def deleted(self) -> Sequence[str]:
        """Ids of the training images to delete, in the order of the set."""
        rows = sorted(row for cluster in self.clusters for row in cluster.deleted)
        return [self.images[row].id for row in rows]

    def __repr__(self) -> str:
        return presenter("duplicates").text(self)

    def _repr_html_(self) -> str:
        return presenter("duplicates").html(self)

    def to_pandas(self) -> Any:
        """A `pandas.DataFrame` with a row for each match: the columns of `pairs.csv`.

        Raises:
            UsageError: pandas is not installed.
        """
        return presenter("duplicates").frame(self)

    def close(self) -> None:
        """Close the image files."""
        if self.pictures is not None:
            self.pictures.close()

    def to_dict(self) -> dict[str, Json]:
        """The result as plain JSON."""
        return to_json(
            {
                "kind": "genmem duplicates",
                "images": self.train,
                "deleted": len(self.deleted),
                "clusters": [
                    {
                        "images": [self.images[row] for row in cluster.rows],
                        "keep": [self.images[row].id for row in cluster.kept],
                        "delete": [self.images[row].id for row in cluster.deleted],
                    }
                    for cluster in self.clusters
                ],
                "matches": [
                    {
                        "first": self.images[match.first].id,
                        "second": self.images[match.second].id,
                        "second_in": self.images[match.second].role,
                        "kind": match.kind,
                        "agreement": round(match.agreement, 4),
                        "evidence": round(match.evidence, 2),
                        "share": [round(share, 3) for share in match.share],
                    }
                    for match in self.matches
                ],
                "spaces": self.spaces,
                "local": self.local,
                "compared": self.compared,
                "inputs": self.inputs,
                "notes": self.notes,
                "provenance": self.provenance,
                "seconds": self.seconds,
            }
        )
