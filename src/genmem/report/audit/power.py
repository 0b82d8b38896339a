"""The power of an audit as a table and sentences."""

from __future__ import annotations

from genmem.auditing.power_results import DisguisePower, Power
from genmem.report.common.tables import Table


def power_table(power: Power) -> Table:
    """A row per disguise: the share flagged with its interval, and the bound of such copies."""
    return Table(
        caption="What this audit would have flagged",
        columns=("disguise", "kind", "flagged", "share (95 %)", "copies, at most (95 %)"),
        rows=tuple(_cells(row) for row in power.disguises),
    )


def power_sentences(power: Power) -> tuple[str, ...]:
    """The overall share, how it was measured, and the bound."""
    low, high = power.interval.low, power.interval.high
    overall = (
        f"Of {power.planted:,} planted copies {power.flagged:,} would be flagged: "
        f"{_percent(power.share)} ({_percent(low)} to {_percent(high)})."
    )
    return (overall, power.assumption, power.sentence)


def _cells(row: DisguisePower) -> tuple[str, ...]:
    low, high = row.interval.low, row.interval.high
    return (
        row.disguise,
        row.kind,
        f"{row.flagged:,} of {row.planted:,}",
        f"{_percent(row.share)} ({_percent(low)} to {_percent(high)})",
        _percent(row.at_most, digits=1),
    )


def _percent(share: float, *, digits: int = 0) -> str:
    return f"{100 * share:.{digits}f} %"
