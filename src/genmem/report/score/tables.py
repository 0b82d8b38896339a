"""The tables of numbers: one row a metric, its value, direction, reading and notes as text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from genmem.formatting import number, printable, share
from genmem.report.score.interpretation_types import Reading
from genmem.results import Interval, Result, Score


@dataclass(frozen=True)
class Entry:
    """A metric's title, the direction of better in words, and its table."""

    title: str
    better: str
    table: str = "copying"


ENTRIES = {
    "copied_fraction": Entry("Copied fraction of the images", "0"),
    "c_t": Entry("Data-copying test C_T", "near 0; negative is copying"),
    "memorization_ratio": Entry("Share of near-copies, d₁/d₂ test", "lower"),
    "memorization_distance": Entry("Mean distance to training set", "not below held-out"),
    "nn_quantiles": Entry("Distance quantiles, here the median", "not below held-out"),
    "authpct": Entry("Authentic images, AuthPct", "higher"),
    "mifid": Entry("Memorization-informed FID", "lower"),
    "fd": Entry("Fréchet distance", "lower", "quality"),
    "fid": Entry("Fréchet Inception distance, FID", "lower", "quality"),
    "fd_infinity": Entry("Fréchet distance, no sample bias", "lower", "quality"),
    "kd": Entry("Kernel distance", "lower", "quality"),
    "inception_score": Entry("Inception score", "higher", "quality"),
    "precision": Entry("Precision", "higher", "quality"),
    "recall": Entry("Recall", "higher", "quality"),
    "density": Entry("Density", "higher", "quality"),
    "coverage": Entry("Coverage", "higher", "quality"),
}

TABLES = {
    "copying": "Copying: how close the generated images come to single training images",
    "quality": "Quality and variety: how alike the two sets are as wholes",
}


def entry(name: str) -> Entry:
    """The metric's entry; a metric of a later version is shown under its own name."""
    return ENTRIES.get(name, Entry(name, "see its documentation", "quality"))


SHARES = ("precision", "recall", "coverage", "copied_fraction", "memorization_ratio")
"""Metrics whose value is a fraction, shown as a percentage."""

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
    order = sorted(rows, key=lambda name: [*ENTRIES, name].index(name))
    if "fid" in rows:
        order.remove("fd")  # the same number under its general name
    made = [
        Table(
            key=key,
            caption=caption,
            rows=tuple(rows[name] for name in order if entry(name).table == key),
        )
        for key, caption in TABLES.items()
    ]
    return [table for table in made if table.rows]


def value_text(name: str, value: float) -> str:
    """A metric's value: a percentage where it is a fraction, four significant digits else."""
    if name == "authpct":
        return share(value / 100)
    return share(value) if name in SHARES else number(value)


def interval_text(name: str, interval: Interval) -> str:
    """The ends of a metric's interval, with three significant digits: `0.85 to 1.5 %`."""
    if name in SHARES:
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
    interval = result.interval
    return Row(
        name=name,
        title=entry(name).title,
        value=value_text(name, result.value),
        interval=interval_text(name, interval) if interval else "",
        method=f"{100 * interval.level:g} %, {printable(interval.method)}" if interval else "",
        better=entry(name).better,
        reading=reading,
        notes=tuple(map(printable, result.notes)),
    )
