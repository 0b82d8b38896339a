"""What a query says of an image, in a sentence, and the table of nearest training images."""

from __future__ import annotations

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from genmem.formatting import count, number, printable, share
from genmem.querying.results import Kind, NearTrainImage, QueriedImage, SpaceNeighbors
from genmem.report.common.terminal import new_table

KINDS: dict[Kind, str] = {
    "identical": "identical to the byte",
    "same": "nearly the same (edges and texture agree)",
    "similar": "similar",
    "other": "",
}
"""The words of an audit's duplicates."""

ALL_LISTED = 5
"""Images of which the table lists all neighbors; of more images, the nearest in each space."""


def finding(image: QueriedImage) -> str:
    """What the image is to the training images: only what there is evidence of."""
    if image.identical:
        return f"is byte for byte training image {_names(image.identical)}."
    if same := _same(image):
        return (
            f"is nearly the same picture as training image {_names(same)}: edges and texture agree."
        )
    judged = [space for space in image.spaces if space.held_out]
    if not judged:
        nearest = image.spaces[0].neighbors[0]
        return (
            f"is nearest to training image {printable(nearest.train_id)}. Whether that is "
            "unusually close cannot be judged."
        )
    space = min(judged, key=_rank)
    nearest, total = space.neighbors[0], space.held_out or 0
    name = printable(nearest.train_id)
    if not nearest.closer:
        images = "the one held-out image is" if total == 1 else f"all {total:,} held-out images are"
        return (
            f"is closer to training image {name} than {images} to theirs, in "
            f"{printable(space.space)}. Look at both: close is not yet copied."
        )
    return (
        f"is no closer than held-out images come: {evidence(nearest, space)} are as close "
        f"to a training image as it is to {name}, in {printable(space.space)}."
    )


def is_copy(image: QueriedImage) -> bool:
    """Whether the image is the picture of a training image, by its bytes or details."""
    return bool(image.identical or _same(image))


def is_closest(image: QueriedImage) -> bool:
    """Whether the image is closer than every held-out image in a space."""
    return any(space.held_out and not space.neighbors[0].closer for space in image.spaces)


def evidence(neighbor: NearTrainImage, space: SpaceNeighbors) -> str:
    """How many held-out images are as close to a training image: `3 of 500 (0.60 %)`."""
    if neighbor.closer is None or not space.held_out:
        return "unknown"
    part = share(neighbor.closer / space.held_out)
    return f"{neighbor.closer:,} of {space.held_out:,} ({part})"


def neighbor_table(images: Sequence[QueriedImage]) -> Table:
    """The nearest training images of each image, for the terminal."""
    table = new_table(
        *("image", "space", "nearest training images", "distance", "as close", "it is"),
        numbers=("distance", "as close"),
    )
    for image in images:
        name = printable(image.id)
        for space in image.spaces:
            listed = space.neighbors if len(images) <= ALL_LISTED else space.neighbors[:1]
            for place, neighbor in enumerate(listed):
                table.add_row(
                    Text("" if place else name),
                    Text("" if place else printable(space.space)),
                    Text(printable(neighbor.train_id)),
                    number(neighbor.distance),
                    _short(neighbor, space),
                    KINDS[neighbor.kind].partition(" (")[0],
                )
    return table


def _short(neighbor: NearTrainImage, space: SpaceNeighbors) -> str:
    if neighbor.closer is None or not space.held_out:
        return "unknown"
    return share(neighbor.closer / space.held_out)


def _rank(space: SpaceNeighbors) -> float:
    return (space.neighbors[0].closer or 0) / (space.held_out or 1)


def _same(image: QueriedImage) -> list[str]:
    """Ids of neighbors that show the same picture, each once."""
    neighbors = (neighbor for space in image.spaces for neighbor in space.neighbors)
    return list(dict.fromkeys(one.train_id for one in neighbors if one.kind == "same"))


def _names(ids: Sequence[str]) -> str:
    others = f" (and {count(len(ids) - 1, 'other')})" if len(ids) > 1 else ""
    return printable(ids[0]) + others
