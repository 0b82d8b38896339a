"""The report of `genmem score`: one HTML file that needs nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from genmem.formatting import plain, printable
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
from genmem.report.score.tables import metric_tables, quantile_table
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
    mifid = score.metrics.get("mifid")
    tau = part(mifid, "tau") if mifid else None
    return template("score.html").render(
        title=compared(score.inputs),
        subtitle=_subtitle(score),
        verdict=verdict(score),
        notes=[printable(note) for note in score.notes],
        tables=metric_tables(score),
        histogram=histogram(score.nearest, tau=tau),
        left_end=enlarged_left_end(score.nearest),
        roles=[role for role in ("generated", "test") if role in score.nearest],
        role_names=ROLE_NAMES,
        quantiles=quantile_table(score),
        closest=closest_pictures(score.closest),
        provenance=Provenance(
            sources=tuple(describe_source(*item) for item in score.inputs.items()),
            lists=(
                ("Backbone", pairs(score.backbone)),
                ("Run", pairs(score.provenance)),
                ("Time", times(score.seconds)),
            ),
        ),
    )


def _subtitle(score: Score) -> str:
    """How many images of each set, and the feature space."""
    name = score.backbone.get("name")
    space = f", compared in {plain(name)} features" if name else ""
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
