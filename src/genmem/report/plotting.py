"""Axes and files of a page's figures: one look for all, in the colours of the style sheet."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from genmem.report.analysis_drawing import Drawing, palette
from genmem.report.analysis_figures import PNG_DPI, SIZE, STYLE

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

LOOKS = (
    ("generated", "o"),
    ("copying", "s"),
    ("test", "D"),
    ("clear", "^"),
    ("open", "v"),
)
"""Colour and marker of one series after the other."""


@contextmanager
def page_style() -> Iterator[None]:
    """matplotlib as the page looks; the caller's own settings are neither used nor changed."""
    import matplotlib

    colours = palette()
    looks: Any = {
        **STYLE,
        "figure.facecolor": colours["card"],
        "axes.facecolor": colours["card"],
        "savefig.facecolor": colours["card"],
        "axes.edgecolor": colours["muted"],
        "axes.labelcolor": colours["ink"],
        "text.color": colours["ink"],
        "xtick.color": colours["muted"],
        "ytick.color": colours["muted"],
        "grid.color": colours["rule"],
    }
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(looks)
        yield


def new_axes(size: tuple[float, float] = SIZE) -> tuple[Figure, Axes]:
    """A figure of one axes, `size` in inches."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots()
    axes.grid(visible=True, linewidth=0.7)
    return figure, axes


def legend(figure: Figure, *, columns: int) -> None:
    """A legend below the axes, where it hides nothing."""
    figure.legend(loc="outside lower center", ncols=columns, columnspacing=1.4)


def drawing(
    figure: Figure, *, name: str, group: str, title: str, caption: str, description: str
) -> Drawing:
    """The figure as an SVG for the page, without a PNG; the same figure gives the same bytes."""
    import matplotlib

    buffer = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": name}):
        figure.savefig(buffer, format="svg", dpi=PNG_DPI, metadata={"Date": None, "Creator": None})
    return Drawing(
        name=name,
        group=group,
        title=title,
        caption=caption,
        description=description,
        svg=buffer.getvalue(),
        png=b"",
    )
