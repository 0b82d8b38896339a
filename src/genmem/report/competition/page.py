"""The analysis of a competition as a folder: one HTML page, figures as SVG and PNG, JSON."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from genmem.formatting import count, plain, printable
from genmem.io.result_folder import ResultKind, atomic_result_folder, check_result_folder
from genmem.report.common.provenance import Provenance, Source
from genmem.report.common.templates import template
from genmem.report.competition.figures import Drawing, drawings
from genmem.report.competition.tables import (
    agreement_table,
    correlation_table,
    headline,
    margin_list,
    review_table,
    threshold_table,
)
from genmem.results import Json

if TYPE_CHECKING:
    from genmem.calibration.results import Analysis

PAGE, NUMBERS, FIGURES = "analysis.html", "analysis.json", "figures"

ANALYSIS = ResultKind(name="analysis", numbers=NUMBERS, page=PAGE, folders=(FIGURES,))


def write_analysis(
    analysis: Analysis, folder: str | Path, *, provenance: Mapping[str, Json]
) -> None:
    """Write `analysis.html`, `analysis.json` and `figures/NAME.svg` and `.png` into `folder`.

    The page holds its figures itself: it asks for nothing over the network and runs no script.
    An earlier analysis stays as it was until the new one is complete (`written_folder`).

    Args:
        analysis: what `calibration.analyze` found.
        folder: made where it is missing. An earlier analysis in it is replaced, its `figures` as
            a whole; other files beside it stay.
        provenance: versions, seed, date, options; JSON values.

    Raises:
        UsageError: the folder holds something else than an analysis, or cannot be written.
    """
    drawn = drawings(analysis)
    document = {
        "kind": ANALYSIS.marker,
        **analysis.to_dict(),
        "provenance": dict(provenance),
    }
    text = json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    files = {
        PAGE: render(analysis, drawn, provenance=provenance).encode("utf-8", "backslashreplace"),
        NUMBERS: text.encode("utf-8", "backslashreplace"),
    }
    for drawing in drawn:
        files[f"{FIGURES}/{drawing.name}.svg"] = drawing.svg
        files[f"{FIGURES}/{drawing.name}.png"] = drawing.png
    with atomic_result_folder(folder, ANALYSIS) as new:
        (new / FIGURES).mkdir()
        for name, content in files.items():
            (new / name).write_bytes(content)


def check_analysis_folder(folder: str | Path) -> None:
    """Make sure that an analysis can be written into `folder`, before the work.

    Raises:
        UsageError: it is a file, cannot be written, or holds files but no earlier analysis.
    """
    check_result_folder(folder, ANALYSIS)


def render(analysis: Analysis, drawn: list[Drawing], *, provenance: Mapping[str, Json]) -> str:
    """The page as text."""
    boards = [
        {
            "name": printable(board.name),
            "headline": headline(board),
            "drawings": [one for one in drawn if one.group == board.name],
            "thresholds": threshold_table(board),
            "reviews": review_table(board),
            "correlations": correlation_table(board),
            "margins": margin_list(board),
        }
        for board in analysis.boards.values()
    ]
    first = next(iter(analysis.boards.values()))
    return template("analysis.html").render(
        title=printable(analysis.source),
        subtitle=subtitle(analysis),
        boards=boards,
        shared=[one for one in drawn if not one.group],
        agreements=agreement_table(analysis),
        top=first.reviews[0].blank_is_neither.top,
        notes=[printable(note) for note in analysis.notes],
        provenance=_provenance(analysis, provenance),
    )


def subtitle(analysis: Analysis) -> str:
    """How many entries there are, by label: `9 entries: 5 honest, 4 cheating`."""
    counts = analysis.counts
    groups = {
        "honest": sum(counts.get(name, 0) for name in analysis.honest_labels),
        "cheating": sum(counts.get(name, 0) for name in analysis.cheating_labels),
        "not reviewed": counts.get("", 0),
    }
    listed = ", ".join(f"{n:,} {name}" for name, n in groups.items() if n)
    total = len(analysis.labels)
    return f"{count(total, 'entry') if total == 1 else f'{total:,} entries'}: {listed}"


def _provenance(analysis: Analysis, values: Mapping[str, Json]) -> Provenance:
    source = Source(
        role="results",
        source=printable(analysis.source),
        count=f"{len(analysis.labels):,} entries",
        digest=analysis.digest,
        skipped="none",
        skipped_ids=(),
    )
    pairs = tuple((printable(key.replace("_", " ")), plain(value)) for key, value in values.items())
    return Provenance(sources=(source,), lists=(("Run", pairs),))
