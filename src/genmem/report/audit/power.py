"""The power of an audit as a table and sentences."""

from __future__ import annotations

from genmem.auditing.power_results import DisguisePower, Power
from genmem.formatting import share, share_range
from genmem.report.common.tables import Table
from genmem.results import Verdict


def power_table(power: Power) -> Table:
    """A row per disguise: the share flagged with its interval, and the bound of such copies."""
    return Table(
        caption="What this audit would have flagged",
        columns=("disguise", "kind", "flagged", "share (95 %)", "copies, at most (95 %)"),
        rows=tuple(_cells(row) for row in power.disguises),
    )


def power_sentences(power: Power, verdict: Verdict) -> tuple[str, ...]:
    """The overall share, how it was measured, and the bound where the data can tell one.

    Args:
        power: of the audit.
        verdict: of the same audit.
    """
    if not verdict.comparable:
        return (
            power.assumption,
            "The table counts flags, which say nothing here.",
        )
    low, high = power.interval.low, power.interval.high
    overall = (
        f"Of {power.planted:,} planted copies {power.flagged:,} would be flagged: "
        f"{share(power.share)} ({share_range(low, high)})."
    )
    bound = (power.sentence,) if verdict.tells_share else ()
    return (overall, power.assumption, *bound)


def _cells(row: DisguisePower) -> tuple[str, ...]:
    low, high = row.interval.low, row.interval.high
    return (
        row.disguise,
        row.kind,
        f"{row.flagged:,} of {row.planted:,}",
        f"{share(row.share)} ({share_range(low, high)})",
        share(row.at_most),
    )
