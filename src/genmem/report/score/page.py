"""The report: one HTML file that needs nothing else, written whole or not at all."""

from __future__ import annotations

from pathlib import Path

from genmem.formatting import count, plain, printable
from genmem.io.atomic import atomic_write
from genmem.report.common.gallery import exhibits
from genmem.report.common.provenance import provenance
from genmem.report.common.templates import template
from genmem.report.score.histogram import enlarged_left_end, histogram
from genmem.report.score.interpretation import read
from genmem.report.score.interpretation_types import MEANT, part
from genmem.report.score.tables import quantile_table, tables
from genmem.report.score.verdict import verdict
from genmem.results import Score


def write_report(score: Score, path: str | Path) -> None:
    """Write `score` as one self-contained HTML page.

    The page asks for nothing over the network, runs no script, and names no folder of this
    machine. Nothing is computed but the bars and medians of the distance histogram.

    Args:
        score: what `genmem.score` found.
        path: the file to make or replace; a reader sees the old file or the whole new one.

    Raises:
        UsageError: the file cannot be written.
    """
    page = render(score).encode("utf-8", errors="backslashreplace")
    with atomic_write(path) as file:
        file.write(page)


def render(score: Score) -> str:
    """The page as text."""
    found = read(score)
    mifid = score.metrics.get("mifid")
    tau = part(mifid, "tau") if mifid else None
    return template("page.html").render(
        title=title(score),
        subtitle=subtitle(score),
        verdict=verdict(score),
        notes=[printable(note) for note in score.notes],
        tables=tables(score, found),
        whole=histogram(score.nearest, tau=tau),
        left_end=enlarged_left_end(score.nearest),
        roles=[role for role in ("generated", "test") if role in score.nearest],
        meant=MEANT,
        quantiles=quantile_table(score),
        exhibits=exhibits(score.closest),
        provenance=provenance(score),
    )


def title(score: Score) -> str:
    """What was compared, by the names the user gave: `samples.zip against train.zip`."""
    generated, train = (printable(score.inputs[role].source) for role in ("generated", "train"))
    return f"{generated} against {train}"


def subtitle(score: Score) -> str:
    """How many images of each kind, and in which feature space."""
    kinds = [
        count(summary.count, f"{MEANT.get(role, role)} {_thing(summary.kind)}")
        for role, summary in score.inputs.items()
    ]
    listed = ", ".join(kinds[:-1]) + f" and {kinds[-1]}" if len(kinds) > 1 else kinds[0]
    name = score.backbone.get("name")
    return f"{listed}, compared in {plain(name)} features" if name else listed


def _thing(kind: str) -> str:
    """What one row of an input is called."""
    return "image" if kind == "images" else "feature row"
