"""Where the numbers come from: inputs, versions and times (macro `provenance`)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from genmem.formatting import count, duration, join_words, plain, printable
from genmem.results import InputSummary, Json

SKIPPED_SHOWN = 50
"""Ids of skipped images that are listed; the rest is counted."""

ROLE_NAMES = {"generated": "generated", "train": "training", "test": "held-out"}
"""The sets' names in sentences."""

Pairs = tuple[tuple[str, str], ...]
"""Labels and values as text."""


@dataclass(frozen=True, kw_only=True)
class Source:
    """One input, as text.

    Attributes:
        role: "generated", "training", ….
        source: its name, without folders of this machine.
        count: how many images or rows.
        digest: content hash.
        skipped: how many images were skipped.
        skipped_ids: their ids.
    """

    role: str
    source: str
    count: str
    digest: str
    skipped: str = "none"
    skipped_ids: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Provenance:
    """Inputs as a table, everything else as headed lists of labels and values."""

    sources: tuple[Source, ...]
    lists: tuple[tuple[str, Pairs], ...]


def describe_source(role: str, summary: InputSummary) -> Source:
    """An input as text.

    Args:
        role: "generated", "train", "test", or any other word.
        summary: the input.
    """
    more = len(summary.skipped) - SKIPPED_SHOWN
    return Source(
        role=ROLE_NAMES.get(role, role),
        source=printable(summary.source),
        count=summary.kind if summary.count is None else f"{summary.count:,} {summary.kind}",
        digest=summary.digest,
        skipped=f"{len(summary.skipped):,}" if summary.skipped else "none",
        skipped_ids=(
            *map(printable, summary.skipped[:SKIPPED_SHOWN]),
            *((f"and {more:,} more",) if more > 0 else ()),
        ),
    )


def pairs(values: Mapping[str, Json]) -> Pairs:
    """JSON values as text: `weights_sha256` becomes "weights sha256", a path loses its folders."""
    return tuple((_label(key), plain(value) or "none") for key, value in values.items())


def times(seconds: Mapping[str, float]) -> Pairs:
    """Durations of stages as text."""
    return tuple((_label(stage), duration(spent)) for stage, spent in seconds.items())


def _label(key: str) -> str:
    return printable(key.replace("_", " "))


def describe_sets(inputs: Mapping[str, InputSummary]) -> str:
    """The sizes of the sets: `100 generated images, 200 training images and 50 held-out images`."""
    return join_words(
        [_size(summary, ROLE_NAMES.get(role, role)) for role, summary in inputs.items()]
    )


def _size(summary: InputSummary, role: str) -> str:
    if summary.count is None or summary.kind == "statistics":
        return f"statistics of the {role} images"
    return count(summary.count, f"{role} {'image' if summary.kind == 'images' else 'feature row'}")


def compared(inputs: Mapping[str, InputSummary]) -> str:
    """What was compared, by the names that the user gave: `samples.zip against train.zip`."""
    return " against ".join(printable(inputs[role].source) for role in ("generated", "train"))
