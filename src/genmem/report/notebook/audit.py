"""What an `Audit` shows of itself."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from genmem.auditing.results import Audit, copied_images, most_suspicious_first
from genmem.auditing.space_results import SpaceResult
from genmem.errors import GenmemError, UsageError
from genmem.formatting import did_you_mean, number, printable
from genmem.report.audit.tables import images_table
from genmem.report.audit.text import details, is_comparable, verdict
from genmem.report.common.images import PictureGroup, pictures
from genmem.report.common.provenance import compared
from genmem.report.common.tables import Table
from genmem.report.notebook.fragment import PAIRS, fragment, small_picture
from genmem.report.notebook.frames import check_pandas, data_frame
from genmem.report.notebook.plots import (
    PicturePair,
    draw_histogram,
    draw_pairs,
    inline_histogram,
    own_axes,
    stacked_axes,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_SHOWN = 10
"""Images in the table, the most suspicious first."""


def html(audit: Audit) -> str:
    """The audit as HTML for a notebook."""
    rows = most_suspicious_first(audit)[:_SHOWN].tolist()
    space = audit.spaces[0]
    return fragment(
        kind="audit",
        title=compared(audit.inputs),
        finding=verdict(audit),
        table=Table(
            caption="The most suspicious images",
            columns=("generated", "distance", "nearest training image", "space", "p", "flagged"),
            rows=tuple(_row(audit, row) for row in rows),
        ),
        histogram=inline_histogram(_sets(space), quantity=_quantity(space)),
        groups=[group for row in rows[:PAIRS] if (group := _group(audit, row))],
        more=" ".join(details(audit, copied_images(audit))),
    )


def frame(audit: Audit) -> Any:
    """`Audit.to_pandas`."""
    check_pandas()
    return data_frame(images_table(audit))


def plot(audit: Audit) -> Figure:
    """`Audit.plot`."""
    pairs = _pairs(audit, PAIRS)
    figure, axes = stacked_axes(2 if pairs else 1)
    plot_distances(audit, axes[0], None)
    if pairs:
        draw_pairs(axes[1], pairs)
    return figure


def plot_distances(audit: Audit, axes: Axes | None, space: str | None) -> Axes:
    """`Audit.plot_distances`."""
    by_name = {one.name: one for one in audit.spaces}
    if space is not None and space not in by_name:
        raise UsageError(f"space: unknown space {space!r}; {did_you_mean(str(space), by_name)}.")
    chosen = audit.spaces[0] if space is None else by_name[space]
    axes = own_axes(axes, (6.4, 3.2))
    return draw_histogram(axes, _sets(chosen), quantity=_quantity(chosen))


def plot_pairs(audit: Audit, axes: Axes | None, count: int) -> Axes:
    """`Audit.plot_pairs`."""
    if pairs := _pairs(audit, count):
        return draw_pairs(own_axes(axes, (1.1 * len(pairs) + 1.0, 2.8)), pairs)
    raise UsageError(
        "this audit has no pictures: features were given, or it is closed. Give images, and draw "
        "before audit.close()."
    )


def _sets(space: SpaceResult) -> dict[str, Any]:
    honest = "held-out" if space.null.source == "test" else "training, each left out in turn"
    return {"generated": space.statistic, honest: space.null.statistic}


def _quantity(space: SpaceResult) -> str:
    return f"{space.statistic_name}, {printable(space.name)}"


def _row(audit: Audit, row: int) -> tuple[str, ...]:
    space, train, _, distance = audit.nearest(row)
    known = is_comparable(audit)
    return (
        printable(str(audit.generated_ids[row])),
        number(distance),
        printable(str(audit.train_ids[train])),
        printable(space.name),
        number(float(audit.p_values[row])) if known else "",
        ("yes" if audit.flagged[row] else "no") if known else "",
    )


def _pictures(audit: Audit, row: int) -> tuple[bytes, bytes] | None:
    """The picture of a generated image and of its nearest training image, while it is open."""
    if audit.thumbnails is None:
        return None
    try:
        generated = audit.thumbnails.generated(row)
        train = audit.thumbnails.train(audit.nearest(row)[1])
    except (GenmemError, OSError, ValueError, IndexError):  # the files are closed, or gone
        return None
    return None if generated is None or train is None else (generated, train)


def _pairs(audit: Audit, count: int) -> list[PicturePair]:
    rows = most_suspicious_first(audit)[: max(count, 0)].tolist()
    pairs = ((row, _pictures(audit, row)) for row in rows)
    return [
        PicturePair(generated=both[0], train=both[1], label=f"{audit.nearest(row)[3]:.3g}")
        for row, both in pairs
        if both is not None
    ]


def _group(audit: Audit, row: int) -> PictureGroup | None:
    both = _pictures(audit, row)
    if both is None:
        return None
    _, train, _, distance = audit.nearest(row)
    names = printable(str(audit.generated_ids[row])), printable(str(audit.train_ids[train]))
    return PictureGroup(
        heading=f"distance {distance:.3g}",
        aside="",
        pictures=pictures(
            small_picture(both[0], f"Generated image {names[0]}"),
            small_picture(both[1], f"Its nearest training image {names[1]}"),
        ),
        names=names,
        connector="nearest to",
    )
