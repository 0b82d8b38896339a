"""The figures of a rejection study: metrics against τ, maps, classes and histograms."""

from __future__ import annotations

from collections.abc import Sequence
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
from genmem.report.rejection_study.text import format_tau
from genmem.study_results.rejection import Cell, SeedMean, StudyResults

if TYPE_CHECKING:
    from matplotlib.axes import Axes


NEAR_TO_FAR = ("#d6322a", "#e0953f", "#4a9cb8")
TRAIN_GREY = "#8a9499"
"""Points of a map are one raster image: these colors are visible on light and dark pages."""


def draw_maps(results: StudyResults, model: str, place: int) -> list[Drawing]:
    """A model's t-SNE map, one drawing for each τ shown, with samples colored by distance.

    Args:
        results: of the study.
        model: one of its models.
        place: of the model on the page, for names.
    """
    from matplotlib.colors import LinearSegmentedColormap

    model_map = next((model_map for model_map in results.maps if model_map.model == model), None)
    if model_map is None:
        return []
    labels = {cell.tau: format_tau(cell) for cell in results.cells_of(model)}
    distances = np.concatenate([panel.distances for panel in model_map.panels])
    top = float(np.quantile(distances, 0.98)) or 1.0
    train = np.asarray(model_map.train)
    corners = np.concatenate([train, *(np.asarray(panel.points) for panel in model_map.panels)])
    drawings = []
    with page_style():
        colors = LinearSegmentedColormap.from_list("near", NEAR_TO_FAR)
        for number_of, panel in enumerate(model_map.panels):
            figure, axes = new_axes((3.6, 3.9))
            axes.scatter(*train.T, s=7, color=TRAIN_GREY, alpha=0.4, linewidths=0, rasterized=True)
            shown = axes.scatter(
                *np.asarray(panel.points).T,
                c=panel.distances,
                cmap=colors,
                vmin=0,
                vmax=top,
                s=11,
                linewidths=0,
                rasterized=True,
            )
            axes.scatter(*corners.T, s=0)  # the same limits in every panel
            axes.set_axis_off()
            bar = figure.colorbar(shown, ax=axes, orientation="horizontal", shrink=0.8, pad=0.02)
            bar.set_label("distance to the nearest training image")
            tau = labels.get(panel.tau, str(panel.tau))
            points = f"{len(train):,} training images and {len(panel.points):,} samples"
            drawings.append(
                drawing(
                    figure,
                    name=f"map-{place}-{number_of}",
                    group=model,
                    title=f"τ = {tau}",
                    caption="",
                    description=f"t-SNE map of {points}.",
                )
            )
    return drawings


CURVES = {
    "fd": ("FD to the training images", "FD", "Both copying and quality lower it."),
    "fd_test": ("FD to the test images", "FD", "Lower is better."),
    "c_t": ("C_T with the test images", "C_T", "Below 0 is copying; 0 is as close as test images."),
    "memorization_distance": (
        "Mean distance to the nearest training image",
        "mean distance",
        "Small values mean copies.",
    ),
    "copied_fraction": (
        "Copied fraction",
        "% of the samples",
        "Samples nearer to a training image than any test image; a lower bound.",
    ),
}
CLASS_WORDS = {
    "c_t": (
        "C_T by class",
        "Each class against its test images; the lowest class is copied most.",
    ),
    "memorization_distance": (
        "Mean distance by class",
        "From the samples of a class to their nearest training images.",
    ),
}
DASHES: tuple[Any, ...] = ("-", (0, (5, 2)), (0, (1, 1)), (0, (5, 1, 1, 1)))


def draw_curves(results: StudyResults, space: str, place: int) -> list[Drawing]:
    """FD to both sets, C_T, mean distance and copied fraction against τ, one line for each model.

    Args:
        results: of the study.
        space: one of its feature spaces.
        place: of the feature space on the page, for names.
    """
    with page_style():
        return [_curve(results, space, metric, f"{metric}-{place}") for metric in CURVES]


def draw_model(results: StudyResults, model: str, space: str, place: int) -> list[Drawing]:
    """A model's references, classes and histograms, as far as there are numbers.

    Args:
        results: of the study.
        model: one of its models.
        space: one of its feature spaces.
        place: of the model on the page, for names.
    """
    cells = results.cells_of(model)
    with page_style():
        drawings = [
            _references(cells, model, space, f"references-{place}"),
            _classes(cells, model, space, "c_t", f"classes-{place}"),
            _histograms(results, cells, model, space, f"histogram-{place}"),
            _classes(cells, model, space, "memorization_distance", f"near-{place}"),
        ]
    return [drawing for drawing in drawings if drawing is not None]


def _tau(cell: Cell) -> float | None:
    """τ in force, as a number."""
    return cell.log.tau.mean if isinstance(cell.tau, str) else cell.tau


def _curve(results: StudyResults, space: str, metric: str, name: str) -> Drawing:
    title, axis, caption = CURVES[metric]
    figure, axes = new_axes()
    factor = 100 if metric == "copied_fraction" else 1
    descriptions, values = [], []
    models = results.plan.models
    for model, (color, marker) in zip(models, LOOKS, strict=False):
        cells = results.cells_of(model)
        series = [(cell, cell.spaces[space].metrics[metric]) for cell in cells]
        _series(axes, series, palette()[color], marker, printable(model), factor)
        for cell in cells:
            tau = _tau(cell)
            for run in results.runs_of(cell):
                metrics = run.metrics.get(space)
                value = None if metrics is None else getattr(metrics, metric)
                if value is not None and tau is not None:
                    values.append(factor * value)
                    axes.plot(tau, values[-1], ".", color=palette()[color], alpha=0.4, ms=4)
        start = [mean.mean for cell, mean in series if cell.tau == 0]
        if start and start[0] is not None:
            descriptions.append(
                f"{printable(model)}: {number(factor * start[0])} without rejection"
            )
    if metric == "c_t":
        axes.axhline(0, color=palette()["muted"], linewidth=1)
        values.append(0.0)
    _set_limits(axes, values)
    axes.set(xlabel="τ", ylabel=axis)
    if len(models) > 1:
        legend(figure, columns=len(models))
    return drawing(
        figure,
        name=name,
        group=space,
        title=title,
        caption=f"{caption} Bars: 95 % intervals of the mean over seeds; dots: the seeds.",
        description="; ".join(descriptions or ["No run without rejection was evaluated"]) + ".",
    )


def _series(
    axes: Axes,
    series: Sequence[tuple[Cell, SeedMean]],
    color: str,
    marker: str,
    label: str,
    factor: float = 1,
    dashes: Any = "-",
) -> None:
    """Means with their intervals against τ; what has no τ or no mean is left out."""
    points = []  # τ, mean, and its distances to the ends of the interval
    for cell, mean in series:
        tau, value = _tau(cell), mean.mean
        if tau is None or value is None:
            continue
        low = value if mean.low is None else mean.low
        high = value if mean.high is None else mean.high
        points.append((tau, factor * value, factor * (value - low), factor * (high - value)))
    taus, means, below, above = np.array(sorted(points)).reshape(-1, 4).T
    axes.errorbar(
        taus,
        means,
        yerr=np.stack([below, above]),
        color=color,
        marker=marker,
        markersize=4.5,
        linewidth=1.6,
        linestyle=dashes,
        elinewidth=1,
        capsize=2,
        label=label,
    )


def _set_limits(axes: Axes, values: Sequence[float]) -> None:
    """Fit the y axis to the seeds' values: an interval of two seeds may be far wider."""
    if values:
        low, high = min(values), max(values)
        room = 0.25 * (high - low) or 0.1 * abs(high) or 1.0
        least = low - room if low < 0 else max(low - room, 0.0)
        axes.set_ylim(least, high + room)


def _references(cells: Sequence[Cell], model: str, space: str, name: str) -> Drawing | None:
    references = list(cells[0].spaces[space].references) if cells else []
    if not references:
        return None
    figure, axes = new_axes()
    means = []
    for reference, (color, marker), dashes in zip(
        references, cycle(LOOKS), cycle(DASHES), strict=False
    ):
        series = [(cell, cell.spaces[space].references[reference]) for cell in cells]
        _series(axes, series, palette()[color], marker, printable(reference), dashes=dashes)
        means += [mean.mean for _, mean in series if mean.mean is not None]
    axes.axhline(0, color=palette()["muted"], linewidth=1)
    _set_limits(axes, [*means, 0.0])
    axes.set(xlabel="τ", ylabel="C_T")
    legend(figure, columns=2)
    return drawing(
        figure,
        name=name,
        group=model,
        title="C_T with each reference set",
        caption="A reference with fewer near-duplicates of the training images gives a lower C_T.",
        description=f"Lines for {', '.join(map(printable, references))}.",
    )


def _classes(
    cells: Sequence[Cell], model: str, space: str, metric: str, name: str
) -> Drawing | None:
    """C_T or the mean distance of each class, a mark for each τ; the most copied class is last."""
    names = list(cells[0].spaces[space].classes) if cells else []

    def value(cell: Cell, name: str) -> float | None:
        mean: SeedMean = getattr(cell.spaces[space].classes[name], metric)
        return mean.mean

    start = {name: mean for name in names if (mean := value(cells[0], name)) is not None}
    order = sorted(start, key=lambda name: start[name])
    if not order:
        return None
    figure, axes = new_axes((4.8, max(2.6, 0.27 * len(order) + 1.4)))
    for cell, shade in zip(cells, _shades(cells), strict=True):
        points = [
            (mean, row) for row, name in enumerate(order) if (mean := value(cell, name)) is not None
        ]
        axes.plot(
            [mean for mean, _ in points],
            [row for _, row in points],
            linestyle="none",
            marker="X" if cell.tau == 0 else "o",
            markersize=6.5 if cell.tau == 0 else 5.5,
            color=shade,
            markeredgewidth=0,
            label=format_tau(cell),
        )
    if metric == "c_t":
        axes.axvline(0, color=palette()["muted"], linewidth=1)
    axes.set_yticks(range(len(order)), [printable(name)[:24] for name in order])
    axes.set(xlabel=CURVES[metric][1])
    legend(figure, columns=3)
    title, caption = CLASS_WORDS[metric]
    return drawing(
        figure,
        name=name,
        group=model,
        title=title,
        caption=caption,
        description=f"At τ = {format_tau(cells[0])} from {number(start[order[0]])} "
        f"({printable(order[0])}) to {number(start[order[-1]])} ({printable(order[-1])}).",
    )


def _shades(cells: Sequence[Cell]) -> list[Any]:
    """Red for no rejection, then from light green to blue with rising τ."""
    from matplotlib import colormaps

    order = sorted(cells, key=lambda cell: _tau(cell) or 0.0)
    shades = colormaps["viridis"](np.linspace(0.75, 0.25, len(cells)))
    return [palette()["copying"] if cell.tau == 0 else shades[order.index(cell)] for cell in cells]


def _histograms(
    results: StudyResults, cells: Sequence[Cell], model: str, space: str, name: str
) -> Drawing | None:
    edges = np.array(results.spaces[space].edges)
    if not cells:
        return None
    figure, axes = new_axes()
    width = float(edges[1] - edges[0])
    test = results.spaces[space].references["test"].histogram
    axes.stairs(np.array(test) / width, edges, fill=True, color=palette()["rule"], label="test")
    for cell, shade in zip(cells, _shades(cells), strict=True):
        shares = np.array(cell.spaces[space].histogram)
        axes.stairs(shares / width, edges, color=shade, linewidth=1.4, label=format_tau(cell))
    axes.set(xlabel="distance to the nearest training image", ylabel="density", xlim=(0, None))
    legend(figure, columns=3)
    return drawing(
        figure,
        name=name,
        group=model,
        title="Nearest distances by τ",
        caption="All seeds together, with the test images in grey. Copies are at the left end; "
        "distances beyond the right end are counted in the last bar.",
        description="Histograms for "
        + ", ".join(f"τ = {format_tau(cell)}" for cell in cells)
        + " and the test images.",
    )
