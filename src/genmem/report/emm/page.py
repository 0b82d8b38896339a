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
from genmem.report.emm.figures import draw_factors, most_informative_size
from genmem.report.emm.text import (
    format_bracket,
    format_emm,
    format_range,
    format_ratio,
    format_seeds,
    percent,
)
from genmem.study_results.emm import Curve, EmmResults, MeanRatio, MemorizedSample

SHOWN = 8
"""Samples in the gallery of a factor."""

MEMORIZED = 1 / 3
"""d1/d2 below which a sample counts as memorized."""


def write_emm_page(results: EmmResults, path: str | Path) -> None:
    """Write the page. It needs no network and runs no script.

    Args:
        results: of the study.
        path: the file to make or replace; a reader sees the old file or the whole new one.

    Raises:
        UsageError: the file cannot be written.
    """
    write_page(render(results), path)


def render(results: EmmResults) -> str:
    """The page as text."""
    drawings = draw_factors(results)
    return template("emm.html").render(
        title=printable(results.source),
        subtitle=_subtitle(results),
        word="Memorization ratio" if results.every_size else "Effective model memorization",
        sentence=_finding(results),
        sections=[
            _section(results, results.curves_of(factor), drawings.get(factor, []))
            for factor in results.factors
        ],
        notes=[printable(note) for note in results.notes],
        lists=_provenance(results),
    )


def _subtitle(results: EmmResults) -> str:
    text = f"{count(results.trials, 'training')} on up to {results.sizes[-1]:,} of "
    text += f"{count(results.images, 'image')}, {count(results.seeds, 'seed')}"
    return text if results.finished else f"{text}; not finished"


def _finding(results: EmmResults) -> str:
    """The finding of the first factor, in one sentence."""
    curves = [curve for curve in results.curves_of(results.factors[0]) if curve.means]
    if not curves:
        return "No training is finished yet."
    factor = curves[0].factor
    by = f", by {curves[0].title.lower()}" if factor else ""
    if results.every_size:
        size = most_informative_size(curves)
        values = {
            curve.label: percent(mean.ratio)
            for curve in curves
            if (mean := curve.mean_at(size)) is not None
        }
        quantity = f"Samples that replay one of {size:,} training images{by}"
    else:
        values = {curve.label: format_emm(curve.emm) for curve in curves}
        share = percent(results.threshold)
        quantity = f"The largest training set that {share} of the samples replay, in images{by}"
    text = "; ".join(f"{name}: {value}" if factor else value for name, value in values.items())
    return f"{quantity}. {capitalize(text)}." if factor else f"{quantity}: {text}."


def _section(
    results: EmmResults, curves: Sequence[Curve], drawings: Sequence[Drawing]
) -> dict[str, Any]:
    return {
        "heading": curves[0].title,
        "meaning": curves[0].meaning,
        "drawings": drawings,
        "emm": None if results.every_size else _emm_table(curves),
        "ratios": _ratio_table(results, curves),
        "differences": _difference_table(results, curves),
        "memorized": _gallery(curves),
    }


def _emm_table(curves: Sequence[Curve]) -> Table:
    """The EMM of every value, and the brackets it comes from."""
    return Table(
        caption="Effective model memorization with its 95 % interval, and each seed's bracket",
        columns=("", "EMM", "brackets", "trainings"),
        rows=tuple(
            (
                printable(curve.label),
                format_emm(curve.emm),
                ", ".join(format_bracket(search) for search in curve.searches),
                f"{sum(search.trials for search in curve.searches):,}",
            )
            for curve in curves
        ),
    )


def _ratio_table(results: EmmResults, curves: Sequence[Curve]) -> Table:
    return Table(
        caption="Memorized samples by |D|: means over seeds with 95 % intervals",
        columns=("|D|", *(printable(curve.label) for curve in curves)),
        rows=tuple(
            (f"{size:,}", *(format_ratio(curve, size) for curve in curves))
            for size in results.sizes
            if any(curve.mean_at(size) for curve in curves)
        ),
    )


def _difference_table(results: EmmResults, curves: Sequence[Curve]) -> Table | None:
    """Differences to the first value, seed by seed, in percentage points; None without any."""
    rows = [
        (f"{size:,}", *(_format_difference(curve.mean_at(size)) for curve in curves[1:]))
        for size in results.sizes
    ]
    rows = [row for row in rows if any(row[1:])]
    if not rows:
        return None
    return Table(
        caption=f"Difference to {printable(curves[0].label)}, seed by seed, in percentage "
        "points with 95 % intervals",
        columns=("|D|", *(printable(curve.label) for curve in curves[1:])),
        rows=tuple(rows),
    )


def _format_difference(mean: MeanRatio | None) -> str:
    if mean is None or mean.difference is None:
        return ""
    value = f"{100 * mean.difference:+.0f}".replace("-", "−")
    interval, seeds = mean.difference_interval, mean.difference_seeds
    if interval is not None:
        return f"{value} ({format_range(interval)})"
    return value if seeds == 1 else f"{value} ({format_seeds(seeds)})"


def _gallery(curves: Sequence[Curve]) -> list[PictureGroup]:
    """Memorized samples of all values in turn; each training image occurs once for a value."""
    by_curve = [_memorized_samples(curve) for curve in curves]
    groups: list[PictureGroup] = []
    for turn in range(SHOWN):
        for curve, samples in zip(curves, by_curve, strict=True):
            if turn < len(samples) and len(groups) < SHOWN:
                groups.append(_picture_group(curve, *samples[turn]))
    return groups


def _memorized_samples(curve: Curve) -> list[tuple[int, MemorizedSample]]:
    """With their |D|, those of the largest training sets first."""
    samples = [
        (trial.size, sample)
        for trial in curve.trials
        for sample in trial.result.memorized_samples
        if sample.ratio < MEMORIZED
    ]
    samples.sort(key=lambda item: (-item[0], item[1].ratio))
    first = {sample.nearest: sample for _, sample in reversed(samples)}
    return [(size, sample) for size, sample in samples if first[sample.nearest] is sample]


def _picture_group(curve: Curve, size: int, sample: MemorizedSample) -> PictureGroup:
    generated, nearest, second = (base64.b64decode(png) for png in sample.images)
    names = printable(sample.nearest), printable(sample.second)
    return PictureGroup(
        heading=f"d₁/d₂ {number(sample.ratio)}",
        aside=f"{printable(curve.label)}, |D| {size:,}",
        pictures=pictures(
            picture(generated, f"Sample {sample.sample}", "sample"),
            picture(
                nearest,
                f"Its nearest training image {names[0]}",
                *("nearest", f"d₁ {number(sample.d1)}"),
            ),
            picture(
                second,
                f"The second nearest training image {names[1]}",
                *("second", f"d₂ {number(sample.d2)}"),
            ),
        ),
        names=names[:1],
    )


def _provenance(results: EmmResults) -> list[tuple[str, Pairs]]:
    """The training configuration that all factors start from."""
    training = results.base["training"]
    network = {name: value for name, value in training["network"].items() if name != "classes"}
    others = {name: value for name, value in training.items() if name not in ("network", "seed")}
    return [("Network", pairs(network)), ("Training", pairs(others))]
