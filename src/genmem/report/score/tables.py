"""The tables of metrics: one row per metric with value, direction, interpretation and notes."""

from __future__ import annotations

from dataclasses import dataclass

from genmem.formatting import number, percent, printable, share_range
from genmem.metrics.registry import metrics
from genmem.report.common.provenance import ROLE_NAMES
from genmem.report.common.tables import Table
from genmem.report.score.interpretation import Interpretation, interpret, metric_of, value_text
from genmem.results import Interval, Result, Score

GROUPS = {
    "copying": "Copying: how close the generated images come to single training images",
    "quality": "Quality and variety: how similar the two sets are as a whole",
}
"""The captions of the tables, by group of the metrics."""

QUANTILE_NAMES = {0.0: "closest image", 0.5: "half", 1.0: "all"}


@dataclass(frozen=True, kw_only=True)
class Row:
    """One metric on the page and on the terminal.

    Attributes:
        name, title: as in the registry.
        value: as text.
        interval: its ends as text, "0.85 to 1.5 %"; empty if there is none.
        method: its level and how it was computed; empty if there is none.
        better: which values are better.
        interpretation: what the value says.
        notes: of the result.
    """

    name: str
    title: str
    value: str
    interval: str
    method: str
    better: str
    interpretation: Interpretation
    notes: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class MetricTable:
    """The metrics of one group."""

    caption: str
    rows: tuple[Row, ...]


def metric_tables(score: Score) -> list[MetricTable]:
    """The score's metrics by group, in the registry's order; empty tables are left out."""
    interpretations = interpret(score)
    rows = {name: _row(name, score[name], interpretations[name]) for name in score.metrics}
    second = {
        own: name for name, metric in metrics().items() for own, _ in metric.second_names.values()
    }
    for name in second.keys() & rows.keys():
        rows.pop(second[name], None)  # the same number under its general name
    known = list(metrics())
    order = sorted(rows, key=lambda name: [*known, name].index(second.get(name, name)))
    tables = [
        MetricTable(
            caption=caption, rows=tuple(rows[name] for name in order if _group(name) == group)
        )
        for group, caption in GROUPS.items()
    ]
    return [table for table in tables if table.rows]


def _group(name: str) -> str:
    metric = metric_of(name)
    return metric.group if metric else "quality"


OF_ALL = "all"
"""The column of what is computed over all spaces."""


def spaces_table(score: Score) -> Table:
    """The metrics in several feature spaces: a row each, a column a space.

    Args:
        score: of several backbones.
    """
    columns = {**score.spaces, **({OF_ALL: score} if score.metrics else {})}
    names = [name for name in metrics() if any(name in one.metrics for one in columns.values())]
    return Table(
        caption="All metrics by feature space, with their intervals",
        columns=("Metric", *map(printable, columns)),
        rows=tuple(
            (name, *(_cell(name, one.metrics.get(name)) for one in columns.values()))
            for name in names
        ),
    )


def _cell(name: str, result: Result | None) -> str:
    """Value and interval; empty where the space has none."""
    if result is None:
        return ""
    interval = f" ({interval_text(name, result.interval)})" if result.interval else ""
    return f"{value_text(name, result.value)}{interval}"


def quantile_table(score: Score) -> Table | None:
    """Distances within which a share of each set lies; None if the score has no `nn_quantiles`."""
    result = score.metrics.get("nn_quantiles")
    if result is None:
        return None
    roles = [role for role in ("generated", "test") if role in result.parts]
    columns = [result.parts[role] for role in roles]
    return Table(
        caption="Distance within which the closest images lie",
        columns=("Share", *(ROLE_NAMES[role] for role in roles)),
        rows=tuple(
            (QUANTILE_NAMES.get(level, percent(level)), *map(number, values))
            for level, *values in zip(result.parts["levels"], *columns, strict=True)
        ),
    )


def _row(name: str, result: Result, interpretation: Interpretation) -> Row:
    interval, metric = result.interval, metric_of(name)
    title, better = (metric.title, metric.better) if metric else (name, "see its documentation")
    title = dict(metric.second_names.values()).get(name, title) if metric else title
    return Row(
        name=name,
        title=title,
        value=value_text(name, result.value),
        interval=interval_text(name, interval) if interval else "",
        method=f"{percent(interval.level)}, {printable(interval.method)}" if interval else "",
        better=better,
        interpretation=interpretation,
        notes=tuple(map(printable, result.notes)),
    )


def interval_text(name: str, interval: Interval) -> str:
    """The ends of a metric's interval, with three significant digits: `0.85 to 1.5 %`."""
    metric = metric_of(name)
    if metric and metric.unit == "fraction":
        return share_range(interval.low, interval.high)
    return " to ".join(number(float(f"{end:.3g}")) for end in (interval.low, interval.high))
