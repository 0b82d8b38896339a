"""The figures of an EMM study, drawn by matplotlib as SVG: ratios by size and over training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from genmem.report.common.plotting import Drawing, drawing, legend, new_axes, page_style, palette
from genmem.report.emm.text import name_of, percent, size_words
from genmem.results import Json

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SIZE = (4.8, 3.7)
"""Inches. Small, so that the text stays readable when a phone shows the whole width."""

COLOURS = ("generated", "copying", "test", "clear", "open", "ink", "muted")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")


def drawings(document: Json) -> dict[str, list[Drawing]]:
    """By factor: the ratio against |D|, then the ratio over training at one |D|.

    Args:
        document: `training.emm.findings`.
    """
    made: dict[str, list[Drawing]] = {}
    with page_style():
        for place, factor in enumerate(_factors(document)):
            curves = [one for one in document["curves"] if one["factor"] == factor]
            curves = [one for one in curves if one["trainings"]]
            if curves:
                made[factor] = [
                    _by_size(document, curves, f"sizes-{place}"),
                    _over_training(curves, f"steps-{place}"),
                ]
    return made


def _factors(document: Json) -> list[str]:
    return list(dict.fromkeys(curve["factor"] for curve in document["curves"]))


def _by_size(document: Json, curves: Sequence[Json], name: str) -> Drawing:
    """Ratio against |D|: a mean and a mark a training, with the 1 − ε line and the EMM."""
    figure, axes = new_axes(SIZE)
    threshold = document["threshold"]
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
    for curve, (colour, marker) in zip(curves, _looks(len(curves)), strict=True):
        means = curve["means"]
        axes.plot(
            [one["size"] for one in means],
            [100 * one["ratio"] for one in means],
            color=colour,
            linewidth=1.6,
            marker=marker,
            markersize=5,
            label=_legend_name(curve, with_emm=not document["every_size"]),
        )
        axes.plot(
            [one["size"] for one in curve["trainings"]],
            [100 * one["ratio"] for one in curve["trainings"]],
            color=colour,
            linestyle="none",
            marker=marker,
            markersize=3,
            alpha=0.45,
        )
        if curve["emm"]["value"] is not None and not document["every_size"]:
            _mark_emm(axes, curve["emm"], 100 * threshold, colour)
    axes.set(xlabel="|D|, training images", ylabel="memorized samples, %", ylim=(-3, 103))
    _size_scale(axes, [one["size"] for curve in curves for one in curve["means"]])
    legend(figure, columns=min(len(curves), 4 if document["every_size"] else 2))
    said = "; ".join(
        f"{name_of(curve)}: "
        + ", ".join(f"{percent(one['ratio'])} at {one['size']:,}" for one in curve["means"])
        for curve in curves
    )
    marks = "" if document["every_size"] else " Vertical marks on the dashed line are the EMM."
    return drawing(
        figure,
        name=name,
        group="",
        title="Memorization ratio by size of the training set",
        caption="Lines are means over seeds, small marks the trainings." + marks,
        description=f"{said}.",
    )


def _mark_emm(axes: Axes, emm: Json, height: float, colour: str) -> None:
    axes.plot([emm["value"]], [height], marker="|", markersize=16, color=colour, markeredgewidth=2)
    if emm["interval"] is not None:
        axes.plot(
            [emm["interval"]["low"], emm["interval"]["high"]],
            [height, height],
            color=colour,
            linewidth=4,
            alpha=0.35,
            solid_capstyle="butt",
        )


def _legend_name(curve: Json, *, with_emm: bool) -> str:
    value = curve["emm"]["value"]
    if value is None or not with_emm:
        return name_of(curve)
    return f"{name_of(curve)}: EMM {size_words(value)}"


def _over_training(curves: Sequence[Json], name: str) -> Drawing:
    """Ratio at every snapshot of the trainings at one |D|, the mean over seeds."""
    figure, axes = new_axes(SIZE)
    size = telling_size(curves)
    shown = []
    for curve, (colour, marker) in zip(curves, _looks(len(curves)), strict=True):
        trainings = [one for one in curve["trainings"] if one["size"] == size]
        if not trainings:
            continue
        steps = [snapshot["step"] for snapshot in trainings[0]["snapshots"]]
        ratios = np.array([[s["ratio"] for s in one["snapshots"]] for one in trainings])
        axes.plot(
            steps,
            100 * ratios.mean(axis=0),
            color=colour,
            linewidth=1.6,
            marker=marker,
            markersize=4,
            label=name_of(curve),
        )
        shown.append(f"{name_of(curve)}: {percent(ratios.mean(axis=0)[-1])} at the end")
    axes.set(xlabel="steps of training", ylabel="memorized samples, %", ylim=(-3, 103))
    axes.set_xlim(left=0)
    legend(figure, columns=min(len(shown), 4))
    return drawing(
        figure,
        name=name,
        group="",
        title=f"Over training, at {size:,} images",
        caption="Means over seeds of what the averaged weights replay. The largest value of a "
        "training is its memorization ratio.",
        description=f"{'; '.join(shown)}.",
    )


def telling_size(curves: Sequence[Json]) -> int:
    """The |D| that most curves have, and of these the one with ratios nearest to one half."""
    found: dict[int, list[float]] = {}
    for curve in curves:
        for mean in curve["means"]:
            found.setdefault(mean["size"], []).append(mean["ratio"])
    return min(found, key=lambda size: (-len(found[size]), abs(np.mean(found[size]) - 0.5)))


def _looks(count: int) -> list[tuple[str, str]]:
    """A colour and a marker a curve."""
    return [
        (palette()[COLOURS[place % len(COLOURS)]], MARKERS[place % len(MARKERS)])
        for place in range(count)
    ]


def _size_scale(axes: Axes, sizes: Sequence[int]) -> None:
    """A logarithmic axis whose ticks are sizes that were trained, at most eight of them."""
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    there = sorted(set(sizes))
    step = -(-len(there) // 8)
    axes.set_xscale("log")
    axes.xaxis.set_major_locator(FixedLocator(there[::step]))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: _short(value)))
    axes.set_xlim(there[0] / 1.25, there[-1] * 1.25)


def _short(size: float) -> str:
    """`500`, `1k`, `1.5k`."""
    return f"{size:.0f}" if size < 1000 else f"{size / 1000:.3g}k"
