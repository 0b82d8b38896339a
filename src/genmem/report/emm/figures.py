"""The figures of an EMM study, drawn by matplotlib as SVG: ratios by size and over training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from genmem.report.common.plotting import Drawing, drawing, legend, new_axes, page_style, palette
from genmem.report.emm.text import format_size, percent
from genmem.study_results.emm import Curve, Emm, EmmResults

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SIZE = (4.8, 3.7)
"""Inches; small, so that the text stays readable on a phone."""

COLORS = ("generated", "copying", "test", "clear", "open", "ink", "muted")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")


def draw_factors(results: EmmResults) -> dict[str, list[Drawing]]:
    """By factor: the ratio against |D|, then the ratio over training at one |D|."""
    drawings: dict[str, list[Drawing]] = {}
    with page_style():
        for place, factor in enumerate(results.factors):
            curves = [curve for curve in results.curves_of(factor) if curve.trials]
            if curves:
                drawings[factor] = [
                    _by_size(results, curves, f"sizes-{place}"),
                    _over_training(curves, f"steps-{place}"),
                ]
    return drawings


def _by_size(results: EmmResults, curves: Sequence[Curve], name: str) -> Drawing:
    """Ratio against |D|: means, a mark for each training, the 1 − ε line and the EMM."""
    figure, axes = new_axes(SIZE)
    threshold = results.threshold
    axes.axhline(100 * threshold, color=palette()["muted"], linewidth=1, linestyle=(0, (5, 3)))
    axes.annotate(
        f"1 − ε = {percent(threshold)}",
        (1, 100 * threshold),
        xycoords=("axes fraction", "data"),
        xytext=(-2, 3),
        textcoords="offset points",
        ha="right",
        fontsize=9,
        color=palette()["muted"],
    )
    for curve, (color, marker) in zip(curves, _styles(len(curves)), strict=True):
        axes.plot(
            [mean.size for mean in curve.means],
            [100 * mean.ratio for mean in curve.means],
            color=color,
            linewidth=1.6,
            marker=marker,
            markersize=5,
            label=_legend_label(curve, with_emm=not results.every_size),
        )
        axes.plot(
            [trial.size for trial in curve.trials],
            [100 * trial.result.ratio for trial in curve.trials],
            color=color,
            linestyle="none",
            marker=marker,
            markersize=3,
            alpha=0.45,
        )
        if not results.every_size:
            _mark_emm(axes, curve.emm, 100 * threshold, color)
    axes.set(xlabel="|D|, training images", ylabel="memorized samples, %", ylim=(-3, 103))
    _size_scale(axes, [mean.size for curve in curves for mean in curve.means])
    legend(figure, columns=min(len(curves), 4 if results.every_size else 2))
    description = "; ".join(
        f"{curve.label}: "
        + ", ".join(f"{percent(mean.ratio)} at {mean.size:,}" for mean in curve.means)
        for curve in curves
    )
    marks = "" if results.every_size else " Vertical marks on the dashed line are the EMM."
    return drawing(
        figure,
        name=name,
        group="",
        title="Memorization ratio by size of the training set",
        caption="Lines are means over seeds, small marks single trainings." + marks,
        description=f"{description}.",
    )


def _mark_emm(axes: Axes, emm: Emm, height: float, color: str) -> None:
    if emm.value is None:
        return
    axes.plot([emm.value], [height], marker="|", markersize=16, color=color, markeredgewidth=2)
    if emm.interval is not None:
        axes.plot(
            [emm.interval.low, emm.interval.high],
            [height, height],
            color=color,
            linewidth=4,
            alpha=0.35,
            solid_capstyle="butt",
        )


def _legend_label(curve: Curve, *, with_emm: bool) -> str:
    if curve.emm.value is None or not with_emm:
        return curve.label
    return f"{curve.label}: EMM {format_size(curve.emm.value)}"


def _over_training(curves: Sequence[Curve], name: str) -> Drawing:
    """Ratio at every snapshot of the trainings at one |D|, the mean over seeds."""
    figure, axes = new_axes(SIZE)
    size = most_informative_size(curves)
    descriptions = []
    for curve, (color, marker) in zip(curves, _styles(len(curves)), strict=True):
        results = [trial.result for trial in curve.trials if trial.size == size]
        if not results:
            continue
        steps = [snapshot.step for snapshot in results[0].snapshots]
        ratios = np.array([[snapshot.ratio for snapshot in result.snapshots] for result in results])
        means = ratios.mean(axis=0)
        axes.plot(
            steps,
            100 * means,
            color=color,
            linewidth=1.6,
            marker=marker,
            markersize=4,
            label=curve.label,
        )
        descriptions.append(f"{curve.label}: {percent(means[-1])} at the end")
    axes.set(xlabel="steps of training", ylabel="memorized samples, %", ylim=(-3, 103))
    axes.set_xlim(left=0)
    legend(figure, columns=min(len(descriptions), 4))
    return drawing(
        figure,
        name=name,
        group="",
        title=f"Over training, at {size:,} images",
        caption="Memorized samples of the averaged weights, means over seeds. The largest value of "
        "a training is its memorization ratio.",
        description=f"{'; '.join(descriptions)}.",
    )


def most_informative_size(curves: Sequence[Curve]) -> int:
    """The |D| that most curves have, and of these the one with ratios nearest to one half."""
    ratios: dict[int, list[float]] = {}
    for curve in curves:
        for mean in curve.means:
            ratios.setdefault(mean.size, []).append(mean.ratio)
    return min(ratios, key=lambda size: (-len(ratios[size]), abs(np.mean(ratios[size]) - 0.5)))


def _styles(count: int) -> list[tuple[str, str]]:
    """A color and a marker for each curve."""
    return [
        (palette()[COLORS[place % len(COLORS)]], MARKERS[place % len(MARKERS)])
        for place in range(count)
    ]


def _size_scale(axes: Axes, sizes: Sequence[int]) -> None:
    """A logarithmic axis whose ticks are sizes that were trained, at most eight of them."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    ticks = sorted(set(sizes))
    step = -(-len(ticks) // 8)
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(FixedLocator(ticks[::step]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: _short(value)))
    axes.set_xlim(ticks[0] / 1.25, ticks[-1] * 1.25)


def _short(size: float) -> str:
    """`500`, `1k`, `1.5k`."""
    return f"{size:.0f}" if size < 1000 else f"{size / 1000:.3g}k"
