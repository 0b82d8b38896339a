"""The report of `genmem score`: one HTML file that needs nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from genmem.formatting import join_words, plain, printable
from genmem.report.common.histogram import enlarged_left_end, histogram
from genmem.report.common.images import PictureGroup, picture, pictures
from genmem.report.common.provenance import (
    ROLE_NAMES,
    Provenance,
    compared,
    describe_sets,
    describe_source,
    pairs,
    times,
)
from genmem.report.common.templates import template, write_page
from genmem.report.score.interpretation import part
from genmem.report.score.tables import metric_tables, quantile_table, spaces_table
from genmem.report.score.verdict import verdict
from genmem.results import Pair, Score

CLOSEST_SHOWN = 24
"""Pairs in the gallery."""


def write_report(score: Score, path: str | Path) -> None:
    """Write `score` as one self-contained HTML page.

    The page makes no network request, runs no script, and names no folder of this machine.
    Nothing is computed but the bars and medians of the distance histogram.

    Args:
        score: the result of `genmem.score`.
        path: the file to create or replace atomically.

    Raises:
        UsageError: the file cannot be written.
    """
    write_page(render(score), path)


def render(score: Score) -> str:
    """The page as text."""
    spaces = score.spaces or {"": score}
    return template("score.html").render(
        title=compared(score.inputs),
        subtitle=_subtitle(score),
        verdict=verdict(score),
        notes=[printable(note) for note in score.notes],
        comparison=spaces_table(score) if score.spaces else None,
        spaces=[_section(printable(name), one) for name, one in spaces.items()],
        role_names=ROLE_NAMES,
        provenance=Provenance(
            sources=tuple(describe_source(*item) for item in score.inputs.items()),
            lists=(
                *(
                    (f"Backbone {name}".strip(), pairs(one.backbone))
                    for name, one in spaces.items()
                ),
                ("Run", pairs(score.provenance)),
                ("Time", times(score.seconds)),
            ),
        ),
    )


def _section(name: str, score: Score) -> dict[str, Any]:
    """One feature space on the page; `name` is empty where there is only one."""
    mifid = score.metrics.get("mifid")
    tau = None if mifid is None else part(mifid, "tau")
    return {
        "name": name,
        "notes": [printable(note) for note in score.notes] if name else [],
        "tables": metric_tables(score),
        "histogram": histogram(score.nearest, tau=tau),
        "left_end": enlarged_left_end(score.nearest),
        "roles": [role for role in ("generated", "test") if role in score.nearest],
        "quantiles": quantile_table(score),
        "closest": closest_pictures(score.closest),
    }


def _subtitle(score: Score) -> str:
    """How many images of each set, and the feature space or spaces."""
    names = list(score.spaces) or [name for name in (score.backbone.get("name"),) if name]
    space = f", compared in {join_words([plain(name) for name in names])} features" if names else ""
    return describe_sets(score.inputs) + space


def closest_pictures(closest: Sequence[Pair]) -> list[PictureGroup]:
    """The first `CLOSEST_SHOWN` pairs for the gallery, in the order given (nearest first)."""
    groups = []
    for rank, pair in enumerate(closest[:CLOSEST_SHOWN], start=1):
        generated, train = printable(pair.generated_id), printable(pair.train_id)
        groups.append(
            PictureGroup(
                heading=f"distance {pair.distance:.3g}",
                aside=str(rank),
                pictures=pictures(
                    picture(pair.generated_png, f"Generated image {generated}", "generated"),
                    picture(pair.train_png, f"Its nearest training image {train}", "training"),
                ),
                names=(generated, train),
                connector="nearest to",
            )
        )
    return groups
