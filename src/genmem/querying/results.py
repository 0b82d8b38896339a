"""What a query says: for each image, in each space, the nearest training images."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from genmem.formatting import number, printable
from genmem.presenters import presenter
from genmem.results import InputSummary, Json, fields_to_json

Kind = Literal["identical", "same", "similar", "other"]


@dataclass(frozen=True, kw_only=True, repr=False)
class NearTrainImage:
    """One of the training images nearest to an image.

    Attributes:
        train_id: its id.
        row: its row in the reference.
        distance: in the space's metric.
        closer: held-out images that are at most this far from their nearest training image; None
            where there are none to compare with.
        kind: "identical" (the same file to the byte), "same" (near, and edges and texture agree),
            "similar" (nearer than neighbors usually are, and no more is known), or "other".
        picture: its thumbnail, PNG or JPEG; None where the reference has none.
    """

    train_id: str
    row: int
    distance: float
    closer: int | None
    kind: Kind
    picture: bytes | None = None

    def __repr__(self) -> str:
        name = printable(self.train_id)
        return f"<training image {name}, distance {number(self.distance)}, {self.kind}>"

    def to_dict(self) -> dict[str, Json]:
        """The neighbor as plain JSON, without the picture."""
        return fields_to_json(self, leave_out=("picture",))


@dataclass(frozen=True, kw_only=True)
class SpaceNeighbors:
    """The training images nearest to an image in one space.

    Attributes:
        space: its name.
        metric: "absolute_cosine" (1 − |cos|) or "euclidean".
        held_out: held-out images to compare with; None where there are none, or where they are no
            yardstick.
        neighbors: nearest first.
    """

    space: str
    metric: str
    held_out: int | None
    neighbors: tuple[NearTrainImage, ...]

    def to_dict(self) -> dict[str, Json]:
        """The neighbors as plain JSON."""
        return fields_to_json(self)


@dataclass(frozen=True, kw_only=True, repr=False)
class QueriedImage:
    """One image and what it is nearest to.

    Attributes:
        id: of the image in what was asked for.
        identical: ids of the training images that are the same file, to the byte.
        spaces: one entry for each feature space.
        picture: the image, reduced, PNG or JPEG.
    """

    id: str
    identical: tuple[str, ...]
    spaces: tuple[SpaceNeighbors, ...]
    picture: bytes | None = None

    def __repr__(self) -> str:
        return f"<{presenter('query').sentence(self)}>"

    def to_dict(self) -> dict[str, Json]:
        """The image as plain JSON, without the picture."""
        return fields_to_json(self, leave_out=("picture",))


@dataclass(frozen=True, kw_only=True, repr=False)
class Query:
    """The result of `genmem.query`. A notebook shows it as a table with pictures.

    Attributes:
        images: in order.
        inputs: the images ("query") and the training images ("train").
        notes: what a reader must know: why closeness cannot be judged, what was left out.
        provenance: versions, date and the reference; JSON values.
        seconds: wall-clock seconds in all.
    """

    images: tuple[QueriedImage, ...]
    inputs: Mapping[str, InputSummary]
    notes: tuple[str, ...]
    provenance: Mapping[str, Json]
    seconds: float

    def __repr__(self) -> str:
        return presenter("query").text(self)

    def _repr_html_(self) -> str:
        return presenter("query").html(self)

    def to_pandas(self) -> Any:
        """A `pandas.DataFrame` with a row for each near training image of each image and space.

        Columns: `image`, `space`, `rank` (1 is the nearest), `train`, `distance`, `closer`
        (held-out images that are as close) of `held_out`, and `kind`.

        Raises:
            UsageError: pandas is not installed.
        """
        return presenter("query").frame(self)

    def to_dict(self) -> dict[str, Json]:
        """The object that `--json` prints."""
        return fields_to_json(self)
