"""The page of `genmem query`: each image beside its nearest training images."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from genmem.formatting import capitalize, count, number, printable
from genmem.querying.results import NearTrainImage, QueriedImage, Query, SpaceNeighbors
from genmem.report.audit.text import METRICS
from genmem.report.common.images import Picture, picture
from genmem.report.common.provenance import Provenance, describe_source, pairs, times
from genmem.report.common.templates import template, write_page
from genmem.report.query.text import KINDS, evidence, finding, is_closest, is_copy

SHOWN = 50
"""Images on the page."""


@dataclass(frozen=True, kw_only=True)
class NeighborOnPage:
    """A training image on the page: its picture, name, and lines on how near it is."""

    picture: Picture | None
    name: str
    lines: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class ImageOnPage:
    """An image on the page.

    Attributes:
        name: its id.
        picture: the image.
        level: style of the finding: "copying", "doubt", "clear" or "open".
        sentence: the finding.
        spaces: headings, and the training images in each space.
    """

    name: str
    picture: Picture | None
    level: str
    sentence: str
    spaces: tuple[tuple[str, tuple[NeighborOnPage, ...]], ...]


def write_query(result: Query, path: str | Path) -> None:
    """Write a query as one self-contained HTML page.

    Args:
        result: of `genmem.query`.
        path: the file to create or replace atomically.

    Raises:
        UsageError: the file cannot be written.
    """
    write_page(render(result), path)


def render(result: Query) -> str:
    """The page as text."""
    sources = [describe_source(*item) for item in result.inputs.items()]
    return template("query.html").render(
        title=" against ".join(source.source for source in sources),
        subtitle=f"{count(len(result.images), 'image')} and their nearest training images",
        notes=[capitalize(printable(note)) for note in result.notes],
        images=[_image(image) for image in result.images[:SHOWN]],
        total=len(result.images),
        provenance=Provenance(
            sources=tuple(sources),
            lists=(
                ("Run", pairs(result.provenance)),
                ("Time", times({"total": result.seconds})),
            ),
        ),
    )


def _image(image: QueriedImage) -> ImageOnPage:
    judged = any(space.held_out for space in image.spaces)
    copied, closest = is_copy(image), is_closest(image)
    return ImageOnPage(
        name=printable(image.id),
        picture=picture(image.picture, f"Image {printable(image.id)}"),
        level="copying" if copied else "doubt" if closest else "clear" if judged else "open",
        sentence=finding(image),
        spaces=tuple(
            (
                f"{printable(space.space)}, {METRICS.get(space.metric, space.metric)}",
                tuple(_neighbor(neighbor, space) for neighbor in space.neighbors),
            )
            for space in image.spaces
        ),
    )


def _neighbor(neighbor: NearTrainImage, space: SpaceNeighbors) -> NeighborOnPage:
    name = printable(neighbor.train_id)
    lines = [f"distance {number(neighbor.distance)}"]
    if space.held_out:
        lines.append(f"as close: {evidence(neighbor, space)}")
    if words := KINDS[neighbor.kind]:
        lines.append(words)
    return NeighborOnPage(
        picture=picture(neighbor.picture, f"Training image {name}"),
        name=name,
        lines=tuple(lines),
    )
