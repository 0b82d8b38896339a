"""The page of an EMM study: what was found, by factor, on one self-contained HTML page."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from genmem.formatting import capitalize, count, number, plain, printable
from genmem.io.atomic import atomic_write
from genmem.report.common.gallery import picture
from genmem.report.common.plotting import Drawing
from genmem.report.common.templates import template
from genmem.report.emm.figures import drawings, telling_size
from genmem.report.emm.text import (
    FACTORS,
    bracket_words,
    emm_words,
    mean_at,
    name_of,
    percent,
    ratio_words,
    seeds_words,
    span,
)
from genmem.results import Json

SHOWN = 8
"""Samples in the gallery of a factor."""

MEMORIZED = 1 / 3
"""d1/d2 below which a sample counts as memorized."""


def write_emm_page(document: Json, path: str | Path) -> None:
    """Write the page: it asks for nothing over the network and runs no script.

    Args:
        document: `training.emm.findings`.
        path: the file to make or replace; a reader sees the old file or the whole new one.

    Raises:
        UsageError: the file cannot be written.
    """
    page = render(document).encode("utf-8", errors="backslashreplace")
    with atomic_write(path) as file:
        file.write(page)


def render(document: Json) -> str:
    """The page as text."""
    drawn = drawings(document)
    factors = list(dict.fromkeys(curve["factor"] for curve in document["curves"]))
    return template("emm.html").render(
        title=printable(document["source"]),
        subtitle=_subtitle(document),
        word=_word(document),
        sentence=_sentence(document),
        sections=[_section(document, factor, drawn.get(factor, [])) for factor in factors],
        notes=[printable(note) for note in document["notes"]],
        lists=_lists(document),
    )


def _subtitle(document: Json) -> str:
    said = f"{count(document['trainings'], 'training')} on up to {document['sizes'][-1]:,} of "
    said += f"{count(document['images'], 'image')}, {count(document['seeds'], 'seed')}"
    return said if document["finished"] else said + "; not finished"


def _word(document: Json) -> str:
    return "Memorization ratio" if document["every_size"] else "Effective model memorization"


def _sentence(document: Json) -> str:
    """The finding of the first factor, in one sentence."""
    factor = document["curves"][0]["factor"]
    curves = [one for one in document["curves"] if one["factor"] == factor and one["means"]]
    if not curves:
        return "No training is finished yet."
    by = f", by {FACTORS[factor][0].lower()}" if factor else ""
    if document["every_size"]:
        size = telling_size(curves)
        told = {
            name_of(curve): percent(mean["ratio"])
            for curve in curves
            if (mean := mean_at(curve, size)) is not None
        }
        before = f"Samples that replay one of {size:,} training images{by}"
    else:
        told = {name_of(curve): emm_words(curve["emm"]) for curve in curves}
        share = percent(document["threshold"])
        before = f"The largest training set that {share} of the samples replay, in images{by}"
    said = "; ".join(f"{name}: {value}" if factor else value for name, value in told.items())
    return f"{before}: {said}." if not factor else f"{before}. {capitalize(said)}."


def _section(document: Json, factor: str, drawn: Sequence[Drawing]) -> dict[str, Any]:
    curves = [one for one in document["curves"] if one["factor"] == factor]
    return {
        "heading": FACTORS[factor][0],
        "meaning": FACTORS[factor][1],
        "drawings": drawn,
        "found": None if document["every_size"] else _found(curves),
        "ratios": _ratios(document, curves),
        "differences": _differences(document, curves),
        "exhibits": _exhibits(curves),
    }


def _found(curves: Sequence[Json]) -> dict[str, Any]:
    """The EMM of every value, and the brackets it comes from."""
    rows = [
        [
            printable(name_of(curve)),
            emm_words(curve["emm"]),
            ", ".join(bracket_words(one) for one in curve["searches"]),
            f"{sum(one['trainings'] for one in curve['searches']):,}",
        ]
        for curve in curves
    ]
    return {
        "caption": "Effective model memorization with its 95 % interval, and each seed's bracket",
        "columns": ["", "EMM", "brackets", "trainings"],
        "rows": rows,
    }


def _ratios(document: Json, curves: Sequence[Json]) -> dict[str, Any]:
    return {
        "caption": "Memorized samples by |D|: means over seeds with 95 % intervals",
        "columns": ["|D|", *(printable(name_of(curve)) for curve in curves)],
        "rows": [
            [f"{size:,}", *(ratio_words(curve, size) for curve in curves)]
            for size in document["sizes"]
            if any(mean_at(curve, size) for curve in curves)
        ],
    }


def _differences(document: Json, curves: Sequence[Json]) -> dict[str, Any] | None:
    """To the first value, seed by seed, in percentage points; None where none can be told."""
    rows = [
        [f"{size:,}", *(_difference(mean_at(curve, size)) for curve in curves[1:])]
        for size in document["sizes"]
    ]
    rows = [row for row in rows if any(row[1:])]
    if not rows:
        return None
    return {
        "caption": f"Difference to {printable(name_of(curves[0]))}, seed by seed, in percentage "
        "points with 95 % intervals",
        "columns": ["|D|", *(printable(name_of(curve)) for curve in curves[1:])],
        "rows": rows,
    }


def _difference(mean: Json | None) -> str:
    if mean is None or mean["difference"] is None:
        return ""
    value = f"{100 * mean['difference']:+.0f}".replace("-", "−")
    interval = mean["difference_interval"]
    if interval is None and mean["difference_seeds"] == 1:
        return value
    return (
        f"{value} ({seeds_words(mean['difference_seeds']) if interval is None else span(interval)})"
    )


def _exhibits(curves: Sequence[Json]) -> list[dict[str, Any]]:
    """Memorized samples, each training image once, of all values in turn."""
    of_curves = [_memorized(curve) for curve in curves]
    taken = []
    for turn in range(SHOWN):
        for curve, found in zip(curves, of_curves, strict=True):
            if turn < len(found) and len(taken) < SHOWN:
                taken.append(_exhibit(curve, found[turn]))
    return taken


def _memorized(curve: Json) -> list[Json]:
    """Of the largest training sets first."""
    found = [one for one in curve["exhibits"] if one["ratio"] < MEMORIZED]
    found.sort(key=lambda one: (-one["size"], one["ratio"]))
    once = {one["nearest"]: one for one in reversed(found)}
    return [one for one in found if once[one["nearest"]] is one]


def _exhibit(curve: Json, one: Json) -> dict[str, Any]:
    sample, nearest, second = (base64.b64decode(png) for png in one["pictures"])
    names = printable(one["nearest"]), printable(one["second"])
    pictures = (
        ("sample", picture(sample, f"Sample {one['sample']}")),
        ("nearest", picture(nearest, f"Its nearest training image {names[0]}")),
        ("second", picture(second, f"The second nearest training image {names[1]}")),
    )
    return {
        "ratio": number(one["ratio"]),
        "d1": number(one["d1"]),
        "d2": number(one["d2"]),
        "whose": f"{printable(name_of(curve))}, |D| {one['size']:,}",
        "nearest": names[0],
        "pictures": [(who, shown) for who, shown in pictures if shown is not None],
    }


def _lists(document: Json) -> list[tuple[str, list[tuple[str, str]]]]:
    """What was trained: the base of all factors."""
    base = document["base"]
    training = {name: value for name, value in base["training"].items() if name != "network"}
    training = {name: value for name, value in training.items() if name != "seed"}
    return [
        ("Network", _pairs(base["training"]["network"], without=("classes",))),
        ("Training", _pairs(training)),
    ]


def _pairs(values: dict[str, Json], *, without: Sequence[str] = ()) -> list[tuple[str, str]]:
    return [
        (name.replace("_", " "), plain(value) or "none")
        for name, value in values.items()
        if name not in without
    ]
