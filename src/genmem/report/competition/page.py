"""The analysis of a competition as a folder: one HTML page, figures as SVG and PNG, JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from genmem.formatting import count, printable
from genmem.io.result_folder import ResultKind, atomic_result_folder
from genmem.report.common.plotting import Drawing
from genmem.report.common.provenance import Provenance, Source, pairs
from genmem.report.common.templates import template, write_results
from genmem.report.competition.figures import draw_figures
from genmem.report.competition.tables import (
    agreement_table,
    correlation_table,
    headline,
    margin_table,
    review_table,
    threshold_table,
)
from genmem.results import Json

if TYPE_CHECKING:
    from genmem.calibration.results import Analysis

FIGURES = "figures"

ANALYSIS = ResultKind(
    name="analysis", numbers="analysis.json", page="analysis.html", folders=(FIGURES,)
)


def write_analysis(
    analysis: Analysis, folder: str | Path, *, provenance: Mapping[str, Json]
) -> None:
    """Write `analysis.html`, `analysis.json` and `figures/NAME.svg` and `.png` into `folder`.

    The page contains its figures: it makes no network request and runs no script. An earlier
    analysis stays unchanged until the new one is complete (`atomic_result_folder`).

    Args:
        analysis: the result of `calibration.analyze`.
        folder: created if missing. An earlier analysis in it is replaced, including all of its
            `figures`; other files stay.
        provenance: versions, seed, date, options; JSON values.

    Raises:
        UsageError: the folder holds something other than an analysis, or cannot be written.
    """
    figures = draw_figures(analysis)
    document = {**analysis.to_dict(), "provenance": dict(provenance)}
    page = render(analysis, figures, provenance=provenance)
    with atomic_result_folder(folder, ANALYSIS) as new:
        (new / FIGURES).mkdir()
        for figure in figures:
            (new / FIGURES / f"{figure.name}.svg").write_bytes(figure.svg)
            (new / FIGURES / f"{figure.name}.png").write_bytes(figure.png)
        write_results(new, ANALYSIS, document, page)


def render(
    analysis: Analysis, figures: Sequence[Drawing], *, provenance: Mapping[str, Json]
) -> str:
    """The page as text.

    Args:
        analysis: the result of `calibration.analyze`.
        figures: `draw_figures(analysis)`.
        provenance: as in `write_analysis`.
    """
    boards = [
        {
            "name": printable(board.name),
            "headline": headline(board),
            "figures": [figure for figure in figures if figure.group == board.name],
            "thresholds": threshold_table(board),
            "reviews": review_table(board),
            "correlations": correlation_table(board),
            "margins": margin_table(board.calibration.margins),
        }
        for board in analysis.boards.values()
    ]
    first = next(iter(analysis.boards.values()))
    return template("analysis.html").render(
        title=printable(analysis.source),
        subtitle=_subtitle(analysis),
        boards=boards,
        shared=[figure for figure in figures if not figure.group],
        agreements=agreement_table(analysis),
        top=first.reviews[0].blank_is_neither.top,
        notes=[printable(note) for note in analysis.notes],
        provenance=Provenance(
            sources=(
                Source(
                    role="results",
                    source=printable(analysis.source),
                    count=f"{len(analysis.labels):,} entries",
                    digest=analysis.digest,
                ),
            ),
            lists=(("Run", pairs(provenance)),),
        ),
    )


def _subtitle(analysis: Analysis) -> str:
    """How many entries there are, by label: `9 entries: 5 honest, 4 cheating`."""
    counts = analysis.counts
    groups = {
        "honest": sum(counts.get(name, 0) for name in analysis.honest_labels),
        "cheating": sum(counts.get(name, 0) for name in analysis.cheating_labels),
        "not reviewed": counts.get("", 0),
    }
    listed = ", ".join(f"{entries:,} {name}" for name, entries in groups.items() if entries)
    return f"{count(len(analysis.labels), 'entry', 'entries')}: {listed}"
