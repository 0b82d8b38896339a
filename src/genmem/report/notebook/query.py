"""What a `Query` shows of itself."""

from __future__ import annotations

from typing import Any

from genmem.formatting import count, number, printable
from genmem.querying.results import NearTrainImage, QueriedImage, Query, SpaceNeighbors
from genmem.report.common.images import PictureGroup, pictures
from genmem.report.common.tables import Table
from genmem.report.notebook.fragment import PAIRS, fragment, small_picture
from genmem.report.notebook.frames import check_pandas, data_frame
from genmem.report.query.text import evidence, finding

_SHOWN = 10
"""Images in the text and in the table."""


def sentence(image: QueriedImage) -> str:
    """What an image is nearest to."""
    return f"{printable(image.id)} {finding(image)}"


def text(result: Query) -> str:
    """A few lines."""
    lines = [f"{_title(result)}: {count(len(result.images), 'image')}"]
    lines += map(sentence, result.images[:_SHOWN])
    more = len(result.images) - _SHOWN
    return "\n".join([*lines, *([f"and {more:,} more images"] if more > 0 else [])])


def html(result: Query) -> str:
    """The query as HTML for a notebook."""
    return fragment(
        kind="query",
        title=_title(result),
        table=Table(
            caption="Nearest training images",
            columns=("image", "distance", "nearest training image", "space", "as close"),
            rows=tuple(
                (
                    printable(image.id),
                    number(space.neighbors[0].distance),
                    printable(space.neighbors[0].train_id),
                    printable(space.space),
                    evidence(space.neighbors[0], space),
                )
                for image in result.images[:_SHOWN]
                for space in image.spaces
            ),
        ),
        groups=[group for image in result.images[:PAIRS] if (group := _group(image))],
        more=" ".join(result.notes),
    )


def frame(result: Query) -> Any:
    """`Query.to_pandas`."""
    check_pandas()
    import pyarrow as pa

    rows: list[tuple[QueriedImage, SpaceNeighbors, int, NearTrainImage]] = [
        (image, space, rank, neighbor)
        for image in result.images
        for space in image.spaces
        for rank, neighbor in enumerate(space.neighbors, start=1)
    ]
    columns = {
        "image": [image.id for image, *_ in rows],
        "space": [space.space for _, space, *_ in rows],
        "rank": [rank for *_, rank, _ in rows],
        "train": [neighbor.train_id for *_, neighbor in rows],
        "distance": [neighbor.distance for *_, neighbor in rows],
        "closer": pa.array([neighbor.closer for *_, neighbor in rows], pa.int64()),
        "held_out": pa.array([space.held_out for _, space, *_ in rows], pa.int64()),
        "kind": [neighbor.kind for *_, neighbor in rows],
    }
    return data_frame(pa.table(columns))


def _title(result: Query) -> str:
    return " against ".join(printable(one.source) for one in result.inputs.values())


def _group(image: QueriedImage) -> PictureGroup | None:
    nearest = image.spaces[0].neighbors[0]
    train = printable(nearest.train_id)
    shown = pictures(
        small_picture(image.picture, f"Image {printable(image.id)}"),
        small_picture(nearest.picture, f"Training image {train}"),
    )
    if not shown:
        return None
    return PictureGroup(
        heading=f"distance {nearest.distance:.3g}",
        aside="",
        pictures=shown,
        names=(printable(image.id), train),
        connector="nearest to",
    )
