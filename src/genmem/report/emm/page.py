"""The page of an EMM study: what was found, by factor, on one self-contained HTML page."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from genmem.formatting import capitalize, count, number, printable
from genmem.report.common.images import PictureGroup, picture, pictures
from genmem.report.common.plotting import Drawing
from genmem.report.common.provenance import Pairs, pairs
from genmem.report.common.tables import Table
from genmem.report.common.templates import template, write_page
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
    write_page(render(document), path)


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
        "emm": None if document["every_size"] else _emm_table(curves),
        "ratios": _ratios(document, curves),
        "differences": _differences(document, curves),
        "memorized": _memorized_samples(curves),
    }


def _emm_table(curves: Sequence[Json]) -> Table:
    """The EMM of every value, and the brackets it comes from."""
    return Table(
        caption="Effective model memorization with its 95 % interval, and each seed's bracket",
        columns=("", "EMM", "brackets", "trainings"),
        rows=tuple(
            (
                printable(name_of(curve)),
                emm_words(curve["emm"]),
                ", ".join(bracket_words(search) for search in curve["searches"]),
                f"{sum(search['trainings'] for search in curve['searches']):,}",
            )
            for curve in curves
        ),
    )


def _ratios(document: Json, curves: Sequence[Json]) -> Table:
    return Table(
        caption="Memorized samples by |D|: means over seeds with 95 % intervals",
        columns=("|D|", *(printable(name_of(curve)) for curve in curves)),
        rows=tuple(
            (f"{size:,}", *(ratio_words(curve, size) for curve in curves))
            for size in document["sizes"]
            if any(mean_at(curve, size) for curve in curves)
        ),
    )


def _differences(document: Json, curves: Sequence[Json]) -> Table | None:
    """Differences to the first value, seed by seed, in percentage points; None without any."""
    rows = [
        (f"{size:,}", *(_difference(mean_at(curve, size)) for curve in curves[1:]))
        for size in document["sizes"]
    ]
    rows = [row for row in rows if any(row[1:])]
    if not rows:
        return None
    return Table(
        caption=f"Difference to {printable(name_of(curves[0]))}, seed by seed, in percentage "
        "points with 95 % intervals",
        columns=("|D|", *(printable(name_of(curve)) for curve in curves[1:])),
        rows=tuple(rows),
    )


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


def _memorized_samples(curves: Sequence[Json]) -> list[PictureGroup]:
    """Memorized samples of all values in turn; each training image occurs once."""
    by_curve = [_memorized(curve) for curve in curves]
    groups: list[PictureGroup] = []
    for turn in range(SHOWN):
        for curve, samples in zip(curves, by_curve, strict=True):
            if turn < len(samples) and len(groups) < SHOWN:
                groups.append(_picture_group(curve, samples[turn]))
    return groups


def _memorized(curve: Json) -> list[Json]:
    """The memorized samples of a curve, those of the largest training sets first."""
    samples = [sample for sample in curve["exhibits"] if sample["ratio"] < MEMORIZED]
    samples.sort(key=lambda sample: (-sample["size"], sample["ratio"]))
    first = {sample["nearest"]: sample for sample in reversed(samples)}
    return [sample for sample in samples if first[sample["nearest"]] is sample]


def _picture_group(curve: Json, sample: Json) -> PictureGroup:
    pixels, nearest, second = (base64.b64decode(png) for png in sample["pictures"])
    names = printable(sample["nearest"]), printable(sample["second"])
    return PictureGroup(
        heading=f"d₁/d₂ {number(sample['ratio'])}",
        aside=f"{printable(name_of(curve))}, |D| {sample['size']:,}",
        pictures=pictures(
            picture(pixels, f"Sample {sample['sample']}", "sample"),
            picture(
                nearest,
                f"Its nearest training image {names[0]}",
                *("nearest", f"d₁ {number(sample['d1'])}"),
            ),
            picture(
                second,
                f"The second nearest training image {names[1]}",
                *("second", f"d₂ {number(sample['d2'])}"),
            ),
        ),
        names=names[:1],
    )


def _lists(document: Json) -> list[tuple[str, Pairs]]:
    """The training configuration that all factors start from."""
    training = document["base"]["training"]
    network = {name: value for name, value in training["network"].items() if name != "classes"}
    others = {name: value for name, value in training.items() if name not in ("network", "seed")}
    return [("Network", pairs(network)), ("Training", pairs(others))]
