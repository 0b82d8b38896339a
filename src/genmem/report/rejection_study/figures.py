"""The figures of a rejection study: what moves as τ rises."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import cycle
from typing import TYPE_CHECKING, Any

import numpy as np

from genmem.formatting import number, printable
from genmem.report.common.plotting import (
    LOOKS,
    Drawing,
    drawing,
    legend,
    new_axes,
    page_style,
    palette,
)
from genmem.report.rejection_study.text import Cell, cells_of, tau_words

if TYPE_CHECKING:
    from matplotlib.axes import Axes


NEAR_TO_FAR = ("#d6322a", "#e0953f", "#4a9cb8")
TRAIN_GREY = "#8a9499"
"""Points of a map are drawn as one picture: these colours are seen on light and dark pages."""


def maps(document: Mapping[str, Any], model: str, place: int) -> list[Drawing]:
    """A model's t-SNE, a drawing a τ, samples coloured by distance."""
    from matplotlib.colors import LinearSegmentedColormap

    found = next((one for one in document["maps"] if one["model"] == model), None)
    if found is None:
        return []
    words = {str(cell["tau"]): tau_words(cell) for cell in cells_of(document, model)}
    every = np.concatenate([np.asarray(one["distances"]) for one in found["generated"]])
    top = float(np.quantile(every, 0.98)) or 1.0
    train = np.asarray(found["train"])
    corners = np.concatenate([train, *(np.asarray(one["points"]) for one in found["generated"])])
    made = []
    with page_style():
        colours = LinearSegmentedColormap.from_list("near", NEAR_TO_FAR)
        for number_of, panel in enumerate(found["generated"]):
            figure, axes = new_axes((3.6, 3.9))
            axes.scatter(*train.T, s=7, color=TRAIN_GREY, alpha=0.4, linewidths=0, rasterized=True)
            shown = axes.scatter(
                *np.asarray(panel["points"]).T,
                c=panel["distances"],
                cmap=colours,
                vmin=0,
                vmax=top,
                s=11,
                linewidths=0,
                rasterized=True,
            )
            axes.scatter(*corners.T, s=0)  # the same corner of the plane in every panel
            axes.set_axis_off()
            bar = figure.colorbar(shown, ax=axes, orientation="horizontal", shrink=0.8, pad=0.02)
            bar.set_label("distance to the nearest training image")
            tau = words.get(str(panel["tau"]), str(panel["tau"]))
            points = f"{len(train):,} training images and {len(panel['points']):,} samples"
            made.append(
                drawing(
                    figure,
                    name=f"map-{place}-{number_of}",
                    group=model,
                    title=f"τ = {tau}",
                    caption="",
                    description=f"t-SNE map of {points}.",
                )
            )
    return made


CURVES = {
    "fd": ("FD to the training images", "FD", "Copies lower it as quality does."),
    "fd_test": ("FD to the test images", "FD", "Lower is better."),
    "c_t": ("C_T with the test images", "C_T", "Below 0 is copying; 0 is as close as test images."),
    "memorization_distance": (
        "Mean distance to the nearest training image",
        "mean distance",
        "Small: copies.",
    ),
    "copied_fraction": (
        "Copied fraction",
        "% of the samples",
        "Samples nearer to a training image than test images ever are; a lower bound.",
    ),
}
CLASS_WORDS = {
    "c_t": (
        "C_T by class",
        "Each class against test images of that class; the lowest class is copied most.",
    ),
    "memorization_distance": (
        "Mean distance by class",
        "From the samples of a class to their nearest training images.",
    ),
}
DASHES: tuple[Any, ...] = ("-", (0, (5, 2)), (0, (1, 1)), (0, (5, 1, 1, 1)))


def curves(document: Mapping[str, Any], space: str, place: int) -> list[Drawing]:
    """FD to both sets, C_T, mean distance and copied fraction against τ, a line a model."""
    with page_style():
        return [_curve(document, space, metric, f"{metric}-{place}") for metric in CURVES]


def by_model(document: Mapping[str, Any], model: str, space: str, place: int) -> list[Drawing]:
    """A model's references, classes and histograms; those there are numbers for."""
    cells = cells_of(document, model)
    with page_style():
        made = [
            _references(cells, model, space, f"references-{place}"),
            _classes(cells, model, space, "c_t", f"classes-{place}"),
            _histograms(document, cells, model, space, f"histogram-{place}"),
            _classes(cells, model, space, "memorization_distance", f"near-{place}"),
        ]
    return [one for one in made if one is not None]


def _tau(cell: Cell) -> float | None:
    found = cell["log"]["tau"]["mean"]
    if isinstance(cell["tau"], str):
        return None if found is None else float(found)
    return float(cell["tau"])


def _curve(document: Mapping[str, Any], space: str, metric: str, name: str) -> Drawing:
    title, axis, caption = CURVES[metric]
    figure, axes = new_axes()
    factor = 100 if metric == "copied_fraction" else 1
    said, seen = [], []
    models = document["plan"]["models"]
    for model, (colour, marker) in zip(models, LOOKS, strict=False):
        cells = cells_of(document, model)
        series = [(cell, cell["spaces"][space]["metrics"][metric]) for cell in cells]
        _series(axes, series, palette()[colour], marker, printable(model), factor)
        for cell in cells:
            for run in _runs(document, cell):
                value = run["values"].get(space, {}).get(metric)
                where = _tau(cell)
                if value is not None and where is not None:
                    seen.append(factor * value)
                    axes.plot(where, seen[-1], ".", color=palette()[colour], alpha=0.4, ms=4)
        start = [found["mean"] for cell, found in series if cell["tau"] == 0]
        if start and start[0] is not None:
            said.append(f"{printable(model)}: {number(factor * start[0])} without rejection")
    if metric == "c_t":
        axes.axhline(0, color=palette()["muted"], linewidth=1)
        seen.append(0.0)
    _limits(axes, seen)
    axes.set(xlabel="τ", ylabel=axis)
    if len(models) > 1:
        legend(figure, columns=len(models))
    return drawing(
        figure,
        name=name,
        group=space,
        title=title,
        caption=f"{caption} Bars: 95 % intervals of the mean over seeds; dots: the seeds.",
        description="; ".join(said or ["No run without rejection was measured"]) + ".",
    )


def _runs(document: Mapping[str, Any], cell: Cell) -> list[Mapping[str, Any]]:
    key = (cell["model"], cell["tau"])
    return [run for run in document["runs"] if (run["model"], run["tau"]) == key]


def _series(
    axes: Axes,
    series: Sequence[tuple[Cell, Mapping[str, Any]]],
    colour: str,
    marker: str,
    label: str,
    factor: float = 1,
    dashes: Any = "-",
) -> None:
    """Means with their intervals against τ; what has no τ or no mean is left out."""
    placed = [(_tau(cell), found) for cell, found in series if found["mean"] is not None]
    points = sorted(
        ((where, found) for where, found in placed if where is not None), key=lambda one: one[0]
    )
    means = np.array([factor * found["mean"] for _, found in points])
    spread = np.array(
        [
            [factor * (found["mean"] - found["low"]), factor * (found["high"] - found["mean"])]
            if found["low"] is not None
            else [0.0, 0.0]
            for _, found in points
        ]
    ).reshape(-1, 2)
    axes.errorbar(
        [where for where, _ in points],
        means,
        yerr=spread.T,
        color=colour,
        marker=marker,
        markersize=4.5,
        linewidth=1.6,
        linestyle=dashes,
        elinewidth=1,
        capsize=2,
        label=label,
    )


def _limits(axes: Axes, seen: Sequence[float]) -> None:
    """The y axis about the seeds' values: an interval of two seeds may be far wider than all."""
    if seen:
        low, high = min(seen), max(seen)
        room = 0.25 * (high - low) or 0.1 * abs(high) or 1.0
        least = low - room if low < 0 else max(low - room, 0.0)
        axes.set_ylim(least, high + room)


def _references(cells: Sequence[Cell], model: str, space: str, name: str) -> Drawing | None:
    references = list(cells[0]["spaces"][space]["references"]) if cells else []
    if not references:
        return None
    figure, axes = new_axes()
    means = []
    for reference, (colour, marker), dashes in zip(
        references, cycle(LOOKS), cycle(DASHES), strict=False
    ):
        series = [(cell, cell["spaces"][space]["references"][reference]) for cell in cells]
        _series(axes, series, palette()[colour], marker, printable(reference), dashes=dashes)
        means += [found["mean"] for _, found in series if found["mean"] is not None]
    axes.axhline(0, color=palette()["muted"], linewidth=1)
    _limits(axes, [*means, 0.0])
    axes.set(xlabel="τ", ylabel="C_T")
    legend(figure, columns=2)
    return drawing(
        figure,
        name=name,
        group=model,
        title="C_T with each reference set",
        caption="A reference with fewer near duplicates of the training images lies lower: it asks "
        "for more.",
        description=f"Lines for {', '.join(map(printable, references))}.",
    )


def _classes(
    cells: Sequence[Cell], model: str, space: str, metric: str, name: str
) -> Drawing | None:
    """C_T or the mean distance of each class, a mark a τ, the most copied class at the bottom."""
    names = list(cells[0]["spaces"][space]["classes"]) if cells else []

    def value(cell: Cell, one: str) -> float | None:
        return cell["spaces"][space]["classes"][one][metric]["mean"]

    start = {one: found for one in names if (found := value(cells[0], one)) is not None}
    order = sorted(start, key=lambda one: start[one])
    if not order:
        return None
    figure, axes = new_axes((4.8, max(2.6, 0.27 * len(order) + 1.4)))
    for cell, shade in zip(cells, _shades(cells), strict=True):
        points = [
            (found, row) for row, one in enumerate(order) if (found := value(cell, one)) is not None
        ]
        axes.plot(
            [found for found, _ in points],
            [row for _, row in points],
            linestyle="none",
            marker="X" if cell["tau"] == 0 else "o",
            markersize=6.5 if cell["tau"] == 0 else 5.5,
            color=shade,
            markeredgewidth=0,
            label=tau_words(cell),
        )
    if metric == "c_t":
        axes.axvline(0, color=palette()["muted"], linewidth=1)
    axes.set_yticks(range(len(order)), [printable(one)[:24] for one in order])
    axes.set(xlabel=CURVES[metric][1])
    legend(figure, columns=3)
    title, caption = CLASS_WORDS[metric]
    return drawing(
        figure,
        name=name,
        group=model,
        title=title,
        caption=caption,
        description=f"At τ = {tau_words(cells[0])} from {number(start[order[0]])} "
        f"({printable(order[0])}) to {number(start[order[-1]])} ({printable(order[-1])}).",
    )


def _shades(cells: Sequence[Cell]) -> list[Any]:
    """Red for no rejection, then from light green to blue as τ rises."""
    from matplotlib import colormaps

    order = sorted(cells, key=lambda cell: _tau(cell) or 0.0)
    shades = colormaps["viridis"](np.linspace(0.75, 0.25, len(cells)))
    return [
        palette()["copying"] if cell["tau"] == 0 else shades[order.index(cell)] for cell in cells
    ]


def _histograms(
    document: Mapping[str, Any], cells: Sequence[Cell], model: str, space: str, name: str
) -> Drawing | None:
    edges = np.array(document["spaces"][space]["edges"])
    if not cells:
        return None
    figure, axes = new_axes()
    width = float(edges[1] - edges[0])
    test = document["spaces"][space]["references"]["test"]["histogram"]
    axes.stairs(np.array(test) / width, edges, fill=True, color=palette()["rule"], label="test")
    for cell, shade in zip(cells, _shades(cells), strict=True):
        shares = np.array(cell["spaces"][space]["histogram"])
        axes.stairs(shares / width, edges, color=shade, linewidth=1.4, label=tau_words(cell))
    axes.set(xlabel="distance to the nearest training image", ylabel="density", xlim=(0, None))
    legend(figure, columns=3)
    return drawing(
        figure,
        name=name,
        group=model,
        title="Nearest distances by τ",
        caption="All seeds together, with the test images in grey. Copies stand at the left end; "
        "whatever lies beyond the right end is counted in the last bar.",
        description="Histograms for "
        + ", ".join(f"τ = {tau_words(cell)}" for cell in cells)
        + " and the test images.",
    )
