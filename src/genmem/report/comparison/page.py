"""The page of `genmem compare`: verdicts, values with places, differences, and pictures."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from genmem.comparison.results import Comparison, Difference
from genmem.formatting import count, printable
from genmem.report.common.images import PictureGroup
from genmem.report.common.provenance import Provenance, describe_source, pairs, times
from genmem.report.common.tables import Table
from genmem.report.common.templates import template, write_page
from genmem.report.common.verdict import Banner, render_verdict
from genmem.report.comparison.tables import BOLD, MetricRow, rows_of
from genmem.report.score.interpretation import value_text
from genmem.report.score.page import closest_pictures
from genmem.results import Score

PAIRS_SHOWN = 6
"""Closest pairs of each model."""


@dataclass(frozen=True, kw_only=True)
class ModelOnPage:
    """A model's column.

    Attributes:
        name: of the model.
        verdict: on its copying.
        images: how many it has, in words.
        closest: its closest pairs, as pictures.
    """

    name: str
    verdict: Banner
    images: str
    closest: list[PictureGroup]


def write_comparison(comparison: Comparison, path: str | Path) -> None:
    """Write a comparison as one self-contained HTML page.

    Args:
        comparison: of `genmem.compare`.
        path: the file to create or replace atomically.

    Raises:
        UsageError: the file cannot be written.
    """
    write_page(render(comparison), path)


def render(comparison: Comparison) -> str:
    """The page as text."""
    first = next(iter(comparison.scores.values()))
    sources = [
        describe_source(role, summary)
        for role, summary in first.inputs.items()
        if role != "generated"
    ]
    rows = rows_of(comparison)
    return template("comparison.html").render(
        title=", ".join(map(printable, comparison.scores)),
        subtitle=f"{count(len(comparison.scores), 'model')} against "
        f"{' and '.join(source.source for source in sources)}",
        models=[_model(name, score) for name, score in comparison.scores.items()],
        rows=rows,
        bold=BOLD,
        differences=_differences(comparison, rows),
        notes=[printable(note) for note in comparison.notes],
        provenance=Provenance(
            sources=tuple(sources),
            lists=(
                ("Backbone", pairs(first.backbone)),
                ("Run", pairs(first.provenance)),
                ("Time", times(_seconds(comparison))),
            ),
        ),
    )


def _model(name: str, score: Score) -> ModelOnPage:
    summary = score.inputs["generated"]
    return ModelOnPage(
        name=printable(name),
        verdict=render_verdict(score.verdict),
        images=f"{count(summary.count or 0, 'image')} of {printable(summary.source)}",
        closest=closest_pictures(score.closest[:PAIRS_SHOWN]),
    )


def _differences(comparison: Comparison, rows: list[MetricRow]) -> Table | None:
    """The differences that have intervals, a row each; None where there are none."""
    shown = {row.name: row.title for row in rows}
    cells = [
        (
            f"{shown[one.metric]}: {printable(one.first)} − {printable(one.second)}",
            _signed(one.metric, one.value),
            _interval(one),
            "yes" if one.separate else "no",
        )
        for one in comparison.differences
        if one.metric in shown and one.interval is not None
    ]
    if not cells:
        return None
    return Table(
        caption="Differences of two models, with 95 % intervals",
        columns=("", "difference", "interval", "differ for certain"),
        rows=tuple(cells),
    )


def _interval(one: Difference) -> str:
    if one.interval is None:
        return ""
    return f"{_signed(one.metric, one.interval.low)} to {_signed(one.metric, one.interval.high)}"


def _signed(metric: str, value: float) -> str:
    """A difference in the metric's unit, with its sign."""
    sign = "−" if value < 0 else "+" if value > 0 else ""
    return sign + value_text(metric, abs(float(f"{value:.3g}")))


def _seconds(comparison: Comparison) -> dict[str, float]:
    return {printable(name): score.seconds["total"] for name, score in comparison.scores.items()}
