"""The figures of a page, drawn by matplotlib: one look for all, in the style sheet's colors."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

from markupsafe import Markup

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@dataclass(frozen=True, kw_only=True)
class Drawing:
    """One figure as files.

    Attributes:
        name: its file name without a suffix.
        group: the leaderboard it belongs to; "" for figures of several leaderboards.
        title: what it shows.
        caption: what to look for in it.
        description: its main numbers, for readers who cannot see it.
        svg: the SVG file.
        png: the PNG file; empty if it was not requested.
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
        """The SVG element: without XML header, with unique ids, in the page's colors."""
        text = self.svg.decode("utf-8")
        text = text[text.index("<svg ") :]
        for name, color in palette().items():
            text = text.replace(color, f"var(--{name})")
        text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
        text = re.sub(r'\b(id="|href="#|url\(#)', rf"\g<1>{self.name}-", text)
        # Without width and height, the page scales it.
        return Markup(re.sub(r' (width|height)="[0-9.]+pt"', "", text, count=2))


@cache
def palette() -> dict[str, str]:
    """The style sheet's light colors as #rrggbb, by variable; no color occurs twice."""
    sheet = resources.files("genmem.report").joinpath("templates/style.css").read_text("utf-8")
    light = sheet[: sheet.index("}")]
    return dict(re.findall(r"--([a-z]+): (#[0-9a-f]{6});", light))


SIZE = (4.8, 3.6)
"""In inches. Small, so that the text stays readable on a phone."""

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
    "text.parse_math": False,  # labels come from users
}

LOOKS = (
    ("generated", "o"),
    ("copying", "s"),
    ("test", "D"),
    ("clear", "^"),
    ("open", "v"),
)
"""Colors and markers of successive series."""


@contextmanager
def page_style() -> Iterator[None]:
    """matplotlib in the page's look; the caller's settings are neither used nor changed."""
    import matplotlib

    colors = palette()
    looks: Any = {
        **STYLE,
        "figure.facecolor": colors["card"],
        "axes.facecolor": colors["card"],
        "savefig.facecolor": colors["card"],
        "axes.edgecolor": colors["muted"],
        "axes.labelcolor": colors["ink"],
        "text.color": colors["ink"],
        "xtick.color": colors["muted"],
        "ytick.color": colors["muted"],
        "grid.color": colors["rule"],
    }
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(looks)
        yield


def new_axes(size: tuple[float, float] = SIZE) -> tuple[Figure, Axes]:
    """A figure with one axes; `size` in inches."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots()
    axes.grid(visible=True, linewidth=0.7)
    return figure, axes


def legend(figure: Figure, *, columns: int, **options: float) -> None:
    """A legend below the axes, where it hides nothing; `options` go to matplotlib."""
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
    """The figure as SVG, and as PNG if requested; equal figures give equal bytes."""
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
