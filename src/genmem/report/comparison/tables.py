"""A comparison as a table, a column a model: for a terminal, Markdown and LaTeX."""

from __future__ import annotations

import re
from dataclasses import dataclass

from rich.table import Table
from rich.text import Text

from genmem.comparison.results import Comparison
from genmem.formatting import printable
from genmem.report.common.terminal import new_table
from genmem.report.common.verdict import render_verdict
from genmem.report.score.interpretation import metric_of, value_text
from genmem.report.score.tables import interval_text

BOLD = (
    "Bold: no model is better for certain, all pairs judged together at 95 %. Values without an "
    "interval are never bold, and places of metrics without intervals are the order of the values "
    "alone."
)
"""What the marks of the table mean."""


@dataclass(frozen=True, kw_only=True)
class Cell:
    """One metric of one model.

    Attributes:
        value: as text; "–" where the model has no such metric.
        interval: its ends as text; empty without one.
        rank: the place, or the range of places, as text: "1", "2–3"; empty without ranks.
        is_best: no model is better for certain.
    """

    value: str
    interval: str = ""
    rank: str = ""
    is_best: bool = False


@dataclass(frozen=True, kw_only=True)
class MetricRow:
    """One metric of all models.

    Attributes:
        name: of the metric.
        title: as in the registry, or the name.
        better: which values are better.
        cells: one per model, in the comparison's order.
    """

    name: str
    title: str
    better: str
    cells: tuple[Cell, ...]


def rows_of(comparison: Comparison) -> list[MetricRow]:
    """The metrics, one row each; on Inception FD is listed once, as FID."""
    names = [name for name in comparison.metrics if name != "fd" or "fid" not in comparison.metrics]
    return [_row(comparison, name) for name in names]


def _row(comparison: Comparison, name: str) -> MetricRow:
    metric = metric_of(name)
    title = metric.title if metric else name
    if metric:
        title = dict(metric.second_names.values()).get(name, title)
    return MetricRow(
        name=name,
        title=title,
        better=metric.better if metric else "",
        cells=tuple(_cell(comparison, name, model) for model in comparison.scores),
    )


def _cell(comparison: Comparison, name: str, model: str) -> Cell:
    result = comparison.scores[model].metrics.get(name)
    if result is None:
        return Cell(value="–")
    rank = comparison.ranks.get(name, {}).get(model)
    places = "" if rank is None else f"{rank.low}–{rank.high}"
    if rank is not None and rank.low == rank.high:
        places = f"{rank.low}"
    return Cell(
        value=value_text(name, result.value),
        interval=interval_text(name, result.interval) if result.interval else "",
        rank=places,
        is_best=rank is not None and rank.low == 1 and result.interval is not None,
    )


def verdict_words(comparison: Comparison) -> tuple[str, ...]:
    """The heading of each model's verdict."""
    return tuple(render_verdict(score.verdict).word for score in comparison.scores.values())


def comparison_table(comparison: Comparison) -> Table:
    """The table for a terminal: value, interval and place of each metric and model."""
    table = new_table(title=Text("Comparison"))
    table.add_column("metric", no_wrap=True)
    for model in comparison.scores:
        table.add_column(Text(printable(model)), justify="right")
    table.add_column("better", max_width=16)
    table.add_row("verdict", *map(Text, verdict_words(comparison)), "")
    table.add_section()
    for row in rows_of(comparison):
        table.add_row(row.name, *map(_text, row.cells), Text(row.better, style="dim"))
    return table


def _text(cell: Cell) -> Text:
    text = Text(cell.value, style="bold" if cell.is_best else "")
    for line in (cell.interval, f"place {cell.rank}" if cell.rank else ""):
        if line:
            text.append(f"\n{line}", style="not bold dim")
    return text


def comparison_markdown(comparison: Comparison) -> str:
    """The table as Markdown, to paste: values with intervals, the best in bold.

    Args:
        comparison: of `genmem.compare`.
    """
    head = ["metric", *comparison.scores]
    lines = [_pipes(head), "|---|" + "--:|" * len(comparison.scores)]
    lines.append(_pipes(["verdict", *verdict_words(comparison)]))
    for row in rows_of(comparison):
        cells = [
            (f"**{cell.value}**" if cell.is_best else cell.value)
            + (f" ({cell.interval})" if cell.interval else "")
            for cell in row.cells
        ]
        lines.append(_pipes([row.title, *cells], raw=1))
    return "\n".join([*lines, "", BOLD, *(f"\n{note}" for note in _notes(comparison))]) + "\n"


def comparison_latex(comparison: Comparison) -> str:
    """The table for LaTeX with the package booktabs: values with intervals, the best in bold.

    Args:
        comparison: of `genmem.compare`.
    """
    columns = "l" + "r" * len(comparison.scores)
    lines = [rf"\begin{{tabular}}{{{columns}}}", r"\toprule"]
    lines.append(_ampersands(["metric", *map(_latex, map(printable, comparison.scores))]))
    lines.append(r"\midrule")
    lines.append(_ampersands(["verdict", *map(_latex, verdict_words(comparison))]))
    for row in rows_of(comparison):
        cells = [
            (rf"\textbf{{{_latex(cell.value)}}}" if cell.is_best else _latex(cell.value))
            + (rf" {{\footnotesize({_latex(cell.interval)})}}" if cell.interval else "")
            for cell in row.cells
        ]
        lines.append(_ampersands([_latex(row.title), *cells]))
    lines += [r"\bottomrule", r"\end{tabular}"]
    return "\n".join([*lines, *(f"% {note}" for note in (BOLD, *_notes(comparison)))]) + "\n"


def _notes(comparison: Comparison) -> list[str]:
    return [printable(note) for note in comparison.notes]


def _pipes(cells: list[str], *, raw: int = 0) -> str:
    """A line of a Markdown table; cells from `raw` on are Markdown already, if it is not 0."""
    escaped = [
        cell if raw and place >= raw else re.sub(r"([\\|*_`<\[])", r"\\\1", printable(cell))
        for place, cell in enumerate(cells)
    ]
    return f"| {' | '.join(escaped)} |"


_LATEX = {
    "\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
    "−": r"$-$", "∞": r"$\infty$", "–": "--", "₁": "$_1$", "₂": "$_2$", "τ": r"$\tau$",
    **{character: f"\\{character}" for character in "&%$#_{}"},
}  # fmt: skip


def _latex(text: str) -> str:
    """Text with LaTeX's special characters escaped."""
    return "".join(_LATEX.get(character, character) for character in text)


def _ampersands(cells: list[str]) -> str:
    return " & ".join(cells) + r" \\"
