"""A rejection study as one HTML page that needs nothing else."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from genmem.formatting import number, printable
from genmem.report.common.images import data_uri
from genmem.report.common.provenance import Provenance, Source, pairs
from genmem.report.common.templates import template, write_page
from genmem.report.rejection_study.figures import by_model, curves, maps
from genmem.report.rejection_study.text import (
    cells_of,
    ended_early,
    finding,
    main_table,
    reference_table,
    subtitle,
    tau_words,
)


def write_study(
    document: Mapping[str, Any], exhibits: Sequence[Mapping[str, Any]], path: str | Path
) -> None:
    """Write the page, whole or not at all. It asks for nothing over the network, runs no script.

    Args:
        document: what `study.json` holds.
        exhibits: strips of pictures: `model`, `tau`, `seed`, and `strips` with `percentile`,
            `distances` and `png`.
        path: the file.

    Raises:
        UsageError: it cannot be written.
    """
    write_page(render(document, exhibits), path)


def render(document: Mapping[str, Any], exhibits: Sequence[Mapping[str, Any]]) -> str:
    """The page as text."""
    plan = document["plan"]
    spaces, first = plan["measure_with"], plan["measure_with"][0]
    models = [model for model in plan["models"] if cells_of(document, model)]
    return template("study.html").render(
        title=printable(plan["train"]["name"]),
        subtitle=subtitle(document),
        findings=[(printable(model), finding(document, model, first)) for model in models],
        ended=ended_early(document),
        first=printable(first),
        spaces=[
            {
                "name": printable(space),
                "drawings": curves(document, space, place),
                "tables": [main_table(document, model, space) for model in models],
                "references": reference_table(document, space),
                "own": space == plan["embedding"],
            }
            for place, space in enumerate(spaces)
        ],
        models=[
            {
                "name": printable(model),
                "drawings": by_model(document, model, first, place),
                "maps": maps(document, model, place),
                "exhibits": [
                    _exhibit(one, cells_of(document, model))
                    for one in exhibits
                    if one["model"] == model
                ],
            }
            for place, model in enumerate(models)
        ],
        several_seeds=len(plan["seeds"]) > 1,
        images=f"{plan['images']:,}",
        provenance=_provenance(document),
    )


def _exhibit(one: Mapping[str, Any], cells: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    words = next((tau_words(cell) for cell in cells if cell["tau"] == one["tau"]), str(one["tau"]))
    return {
        "tau": words,
        "strips": [
            {
                "percentile": strip["percentile"],
                "range": _range(strip["distances"]),
                "uri": data_uri(strip["png"]),
            }
            for strip in one["strips"]
        ],
    }


def _range(distances: Sequence[float]) -> str:
    """The distances of a strip's pairs: `0.012 to 0.014`."""
    low, high = number(min(distances)), number(max(distances))
    return low if low == high else f"{low} to {high}"


def _provenance(document: Mapping[str, Any]) -> Provenance:
    plan = document["plan"]
    named = {"train": plan["train"], "test": plan["test"], **plan["references"]}
    sources = tuple(
        Source(
            role=printable(role),
            source=printable(one["name"]),
            count=f"{one['count']:,} images",
            digest=one["digest"],
        )
        for role, one in named.items()
    )
    widths = {
        model: f"width {one[0]}, discriminator {one[1]}, z {one[2]}"
        for model, one in plan["widths"].items()
    }
    backbones = {name: one["backbone"] for name, one in document["spaces"].items()}
    return Provenance(
        sources=sources,
        lists=(
            ("Training", pairs(plan["training"])),
            ("Models", pairs(widths)),
            ("Versions", pairs(document["versions"])),
            *((f"Backbone {printable(name)}", pairs(one)) for name, one in backbones.items()),
        ),
    )
