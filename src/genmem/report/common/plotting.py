"""Axes and files of a page's figures: one look for all, in the colours of the style sheet."""

from __future__ import annotations

import io
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


import re
from dataclasses import dataclass
from functools import cache
from importlib import resources

from markupsafe import Markup


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """One figure.

    Attributes:
        name: its file name without an ending.
        group: the board it belongs to; "" for figures of several boards.
        title: what it shows.
        caption: what to look for in it.
        description: its main numbers, for those who cannot see it.
        svg: the file's bytes.
        png: the file's bytes.
    """

    name: str
    group: str
    title: str
    caption: str
    description: str
    svg: bytes
    png: bytes

    @property
    def inline(self) -> Markup:
        """The SVG element for the page: no XML head, ids of its own, the style sheet's colours."""
        text = self.svg.decode("utf-8")
        text = text[text.index("<svg ") :]
        for name, colour in palette().items():
            text = text.replace(colour, f"var(--{name})")
        text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
        text = re.sub(r'\b(id="|href="#|url\(#)', rf"\g<1>{self.name}-", text)
        # The page scales it.
        return Markup(re.sub(r' (width|height)="[0-9.]+pt"', "", text, count=2))


@cache
def palette() -> dict[str, str]:
    """The style sheet's light colours by variable, as #rrggbb; every colour once."""
    sheet = resources.files("genmem.report").joinpath("templates/style.css").read_text("utf-8")
    light = sheet[: sheet.index("}")]
    return dict(re.findall(r"--([a-z]+): (#[0-9a-f]{6});", light))


SIZE = (4.8, 3.6)
"""Inches. Small, so that the text stays readable when a phone shows the whole width."""

PNG_DPI = 200

STYLE = {
    "font.family": "sans-serif",
    "font.size": 10.5,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "legend.frameon": False,
    "legend.fontsize": 9.5,
    "svg.fonttype": "none",
    "text.parse_math": False,  # labels are other people's text
}

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


def legend(figure: Figure, *, columns: int, **options: float) -> None:
    """A legend below the axes, where it hides nothing; `options` are matplotlib's."""
    settings: Any = {"columnspacing": 1.4, **options}
    figure.legend(loc="outside lower center", ncols=columns, **settings)


def drawing(
    figure: Figure,
    *,
    name: str,
    group: str,
    title: str,
    caption: str,
    description: str,
    with_png: bool = False,
) -> Drawing:
    """The figure as an SVG for the page, and as a PNG where asked; equal figures, equal bytes."""
    return Drawing(
        name=name,
        group=group,
        title=title,
        caption=caption,
        description=description,
        svg=_saved(figure, "svg", {"Date": None, "Creator": None}, salt=name),
        png=_saved(figure, "png", {"Software": None}, salt=name) if with_png else b"",
    )


def _saved(figure: Figure, kind: str, metadata: dict[str, None], *, salt: str) -> bytes:
    import matplotlib

    buffer = io.BytesIO()
    with matplotlib.rc_context({"svg.hashsalt": salt}):
        figure.savefig(buffer, format=kind, dpi=PNG_DPI, metadata=metadata)
    return buffer.getvalue()
