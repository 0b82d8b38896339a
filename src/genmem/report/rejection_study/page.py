"""A rejection study as one self-contained HTML page."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from genmem.formatting import number, printable
from genmem.report.common.images import data_uri
from genmem.report.common.provenance import Provenance, Source, pairs
from genmem.report.common.templates import template, write_page
from genmem.report.rejection_study.figures import draw_curves, draw_maps, draw_model
from genmem.report.rejection_study.text import (
    describe_early_ends,
    describe_finding,
    describe_study,
    format_tau,
    metrics_table,
    references_table,
)
from genmem.study_results.rejection import RunStrips, StudyResults


def write_study_page(results: StudyResults, strips: Sequence[RunStrips], path: str | Path) -> None:
    """Write the page, whole or not at all. It needs no network and runs no script.

    Args:
        results: what `study.json` holds.
        strips: samples beside training images.
        path: the file.

    Raises:
        UsageError: it cannot be written.
    """
    write_page(render(results, strips), path)


def render(results: StudyResults, strips: Sequence[RunStrips]) -> str:
    """The page as text; arguments are those of `write_study_page`."""
    plan = results.plan
    first = plan.evaluate_with[0]
    models = [model for model in plan.models if results.cells_of(model)]
    return template("study.html").render(
        title=printable(plan.train.name),
        subtitle=describe_study(results),
        findings=[(printable(model), describe_finding(results, model, first)) for model in models],
        ended=describe_early_ends(results),
        first=printable(first),
        spaces=[
            {
                "name": printable(space),
                "drawings": draw_curves(results, space, place),
                "tables": [metrics_table(results, model, space) for model in models],
                "references": references_table(results, space),
                "rejects": space == plan.backbone,
            }
            for place, space in enumerate(plan.evaluate_with)
        ],
        models=[
            {
                "name": printable(model),
                "drawings": draw_model(results, model, first, place),
                "maps": draw_maps(results, model, place),
                "runs": [_strips(results, run) for run in strips if run.model == model],
            }
            for place, model in enumerate(models)
        ],
        several_seeds=len(plan.seeds) > 1,
        samples=f"{plan.samples:,}",
        provenance=_provenance(results),
    )


def _strips(results: StudyResults, run: RunStrips) -> dict[str, Any]:
    cells = {cell.tau: cell for cell in results.cells_of(run.model)}
    return {
        "tau": format_tau(cells[run.tau]) if run.tau in cells else str(run.tau),
        "strips": [
            {
                "percentile": strip.percentile,
                "range": _range(strip.distances),
                "uri": data_uri(strip.png),
            }
            for strip in run.strips
        ],
    }


def _range(distances: Sequence[float]) -> str:
    """The distances of a strip's pairs: `0.012 to 0.014`."""
    low, high = number(min(distances)), number(max(distances))
    return low if low == high else f"{low} to {high}"


def _provenance(results: StudyResults) -> Provenance:
    plan = results.plan
    sources = tuple(
        Source(
            role=printable(role),
            source=printable(images.name),
            count=f"{images.count:,} images",
            digest=images.digest,
        )
        for role, images in {"train": plan.train, "test": plan.test, **plan.references}.items()
    )
    widths = {
        model: f"width {generator}, discriminator {discriminator}, z {z_dim}"
        for model, (generator, discriminator, z_dim) in plan.widths.items()
    }
    backbones = (
        (f"Backbone {printable(name)}", pairs(space.backbone))
        for name, space in results.spaces.items()
    )
    return Provenance(
        sources=sources,
        lists=(
            ("Training", pairs(plan.training)),
            ("Models", pairs(widths)),
            ("Versions", pairs(results.versions)),
            *backbones,
        ),
    )
