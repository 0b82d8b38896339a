"""The log of a run as curves: evaluations, losses and rejection, in one PNG."""

from __future__ import annotations

import io
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from genmem.formatting import printable
from genmem.io.atomic import atomic_write
from genmem.report.common.plotting import page_style

FILE = "curves.png"

Series = dict[str, list[tuple[int, float]]]
"""Steps and values, by the line's name."""

_METRICS = (
    ("fd", "FD to the training images (copies lower it)"),
    ("fd_test", "FD to the test images (lower is better)"),
    ("memorization_distance", "memorization distance (low: copies)"),
    ("c_t", "C_T (below 0: copying)"),
)


def write_curves(lines: Sequence[Mapping[str, Any]], path: Path, *, title: str) -> None:
    """Draw the log; panels without values are left out.

    Args:
        lines: of the log, oldest first.
        path: of the PNG.
        title: above the panels, drawn literally.

    Raises:
        UsageError: the file cannot be written.
    """
    panels = _panels(lines)
    if not panels:
        return
    with page_style(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        content = _draw(panels, printable(title))
    with atomic_write(path) as file:
        file.write(content)


def _draw(panels: Sequence[tuple[str, Series]], title: str) -> bytes:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    columns = min(3, len(panels))
    rows = -(-len(panels) // columns)
    figure = Figure(figsize=(4.6 * columns, 3.2 * rows), layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(title, fontsize=10)
    for number, (heading, series) in enumerate(panels):
        axes = figure.add_subplot(rows, columns, number + 1)
        for name, points in series.items():
            marker = "o" if len(points) < 30 else ""
            label = printable(name)
            axes.plot(*zip(*points, strict=True), label=label, marker=marker, ms=3, lw=1.2)
        if heading.startswith("C_T"):
            axes.axhline(0, color="gray", lw=0.8)
        axes.set_title(heading, fontsize=9)
        axes.set_xlabel("generator steps", fontsize=8)
        axes.tick_params(labelsize=8)
        axes.grid(alpha=0.3)
        if len(series) > 1 or heading.startswith("nearest"):
            axes.legend(fontsize=7, frameon=False)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    return buffer.getvalue()


def _panels(lines: Sequence[Mapping[str, Any]]) -> list[tuple[str, Series]]:
    """Heading and series of each panel that has points."""
    panels: list[tuple[str, Series]] = []
    for metric, heading in _METRICS:
        series: Series = {}
        for line in lines:
            for space, values in line.get("evaluation", {}).items():
                if values.get(metric) is not None:
                    series.setdefault(space, []).append((line["step"], values[metric]))
        panels.append((heading, series))
    panels.append(("losses (hinge)", _series(lines, "discriminator_loss", "generator_loss")))
    rejection = [
        {"step": line["step"], **line["rejection"]} for line in lines if line.get("rejection")
    ]
    panels.append(("acceptance", _series(rejection, "acceptance")))
    panels.append(("nearest distances", _series(rejection, "distance_mean", "tau")))
    return [(heading, series) for heading, series in panels if series]


def _series(lines: Sequence[Mapping[str, Any]], *names: str) -> Series:
    series = {
        name.replace("_", " "): [
            (line["step"], line[name]) for line in lines if line.get(name) is not None
        ]
        for name in names
    }
    return {name: points for name, points in series.items() if points}
