"""The tables of numbers: one row a metric, its value, direction, reading and notes as text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from genmem.formatting import number, printable, share
from genmem.metrics.registry import Metric, metrics
from genmem.report.score.interpretation_types import Reading
from genmem.results import Interval, Result, Score

TABLES = {
    "copying": "Copying: how close the generated images come to single training images",
    "quality": "Quality and variety: how alike the two sets are as wholes",
}


def metric_of(name: str) -> Metric | None:
    """The registry's entry of a result; None for a metric that is not installed here."""
    for metric in metrics().values():
        if name == metric.name or (metric.inception and name == metric.inception[0]):
            return metric
    return None


QUANTILE_NAMES = {0.0: "closest image", 0.5: "half", 1.0: "all"}


@dataclass(frozen=True, kw_only=True)
class Row:
    """One metric as the page and the terminal show it.

    `interval` is its ends as text, "0.85 to 1.5 %", and `method` how it was made, level first;
    both are empty where there is none.
    """

    name: str
    title: str
    value: str
    interval: str
    method: str
    better: str
    reading: Reading
    notes: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Table:
    """Metrics that answer one question."""

    key: str
    caption: str
    rows: tuple[Row, ...]


@dataclass(frozen=True, kw_only=True)
class QuantileTable:
    """Distances below which a share of each set lies: one row a share, one column a role."""

    roles: tuple[str, ...]
    rows: tuple[tuple[str, tuple[str, ...]], ...]


def tables(score: Score, found: Mapping[str, Reading]) -> list[Table]:
    """The score's metrics by question, the most telling first; empty tables are left out."""
    rows = {name: _row(name, result, found[name]) for name, result in score.metrics.items()}
    second = {metric.inception[0]: name for name, metric in metrics().items() if metric.inception}
    for name in second.keys() & rows.keys():
        rows.pop(second[name], None)  # the same number under its general name
    known = list(metrics())
    order = sorted(rows, key=lambda name: [*known, name].index(second.get(name, name)))
    made = [
        Table(
            key=key,
            caption=caption,
            rows=tuple(rows[name] for name in order if _group(name) == key),
        )
        for key, caption in TABLES.items()
    ]
    return [table for table in made if table.rows]


def _group(name: str) -> str:
    metric = metric_of(name)
    return metric.group if metric else "quality"


def value_text(name: str, value: float) -> str:
    """A metric's value: a percentage where it is a share, four significant digits else."""
    metric = metric_of(name)
    if metric and metric.unit == "percent":
        return share(value / 100)
    return share(value) if metric and metric.unit == "fraction" else number(value)


def interval_text(name: str, interval: Interval) -> str:
    """The ends of a metric's interval, with three significant digits: `0.85 to 1.5 %`."""
    metric = metric_of(name)
    if metric and metric.unit == "fraction":
        return share_range(interval)
    return " to ".join(number(float(f"{end:.3g}")) for end in (interval.low, interval.high))


def share_range(interval: Interval) -> str:
    """The ends of a fraction's interval: `0.85 to 1.5 %`."""
    return f"{share(interval.low).removesuffix(' %')} to {share(interval.high)}"


def quantile_table(score: Score) -> QuantileTable | None:
    """The parts of `nn_quantiles` as text; None when the score does not hold it."""
    result = score.metrics.get("nn_quantiles")
    if result is None:
        return None
    roles = tuple(role for role in ("generated", "test") if role in result.parts)
    columns = [result.parts[role] for role in roles]
    return QuantileTable(
        roles=roles,
        rows=tuple(
            (QUANTILE_NAMES.get(level, f"{100 * level:g} %"), tuple(map(number, values)))
            for level, *values in zip(result.parts["levels"], *columns, strict=True)
        ),
    )


def _row(name: str, result: Result, reading: Reading) -> Row:
    interval, metric = result.interval, metric_of(name)
    title, better = (metric.title, metric.better) if metric else (name, "see its documentation")
    if metric and metric.inception and name == metric.inception[0]:
        title = metric.inception[1]
    return Row(
        name=name,
        title=title,
        value=value_text(name, result.value),
        interval=interval_text(name, interval) if interval else "",
        method=f"{100 * interval.level:g} %, {printable(interval.method)}" if interval else "",
        better=better,
        reading=reading,
        notes=tuple(map(printable, result.notes)),
    )
