"""Where the numbers come from: what a reader needs to check them or to get them again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from genmem.formatting import duration, plain, printable
from genmem.report.score.interpretation_types import MEANT
from genmem.results import InputSummary, Json, Score

SKIPPED_SHOWN = 50
"""Ids of left-out images that are listed; the rest is counted."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """One input as the page shows it."""

    role: str
    source: str
    count: str
    digest: str
    skipped: str
    skipped_ids: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """Inputs as a table, everything else as lists of label and text."""

    sources: tuple[Source, ...]
    lists: tuple[tuple[str, tuple[tuple[str, str], ...]], ...]


def provenance(score: Score) -> Provenance:
    """The score's provenance as text; no folder of this machine is named."""
    return Provenance(
        sources=tuple(_source(role, summary) for role, summary in score.inputs.items()),
        lists=(
            ("Backbone", _pairs(score.backbone)),
            ("Run", _pairs(score.provenance)),
            (
                "Time",
                tuple((_label(stage), duration(spent)) for stage, spent in score.seconds.items()),
            ),
        ),
    )


def _source(role: str, summary: InputSummary) -> Source:
    more = len(summary.skipped) - SKIPPED_SHOWN
    return Source(
        role=MEANT.get(role, role),
        source=printable(summary.source),
        count=f"{summary.count:,} {summary.kind}",
        digest=summary.digest,
        skipped=f"{len(summary.skipped):,}" if summary.skipped else "none",
        skipped_ids=(
            *map(printable, summary.skipped[:SKIPPED_SHOWN]),
            *((f"and {more:,} more",) if more > 0 else ()),
        ),
    )


def _pairs(values: Mapping[str, Json]) -> tuple[tuple[str, str], ...]:
    return tuple((_label(key), plain(value)) for key, value in values.items())


def _label(key: str) -> str:
    """A JSON key as a label: `weights_sha256` → `weights sha256`."""
    return printable(key.replace("_", " "))
