"""The figures of a competition's analysis, drawn by matplotlib as SVG and PNG."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from genmem.formatting import number, printable
from genmem.report.common.plotting import Drawing, drawing, legend, new_axes, page_style, palette
from genmem.report.competition.tables import CASE_NAMES

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from genmem.calibration.results import Analysis, BoardResult

CHEAT_COLORS = ("copying", "test", "open", "clear")
CHEAT_MARKERS = ("^", "s", "D", "v", "P", "X")


def draw_figures(analysis: Analysis) -> list[Drawing]:
    """All figures of an analysis, in reading order."""
    figures: list[Drawing] = []
    with page_style(), warnings.catch_warnings():
        # A label in a script that the font lacks is drawn as boxes in the PNG; the SVG has it.
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        boards = list(analysis.boards.values())
        for slug, board in zip(_slugs([board.name for board in boards]), boards, strict=True):
            figures += _board(analysis, board, slug)
        for (i, first), (j, second) in combinations(enumerate(boards, start=1), 2):
            figures.append(_ranks(analysis, first, second, f"ranks-{i}-{j}"))
    return figures


def _board(analysis: Analysis, board: BoardResult, slug: str) -> Iterable[Drawing]:
    yield _scatter(analysis, board, f"scatter-{slug}")
    yield _histogram(analysis, board, f"distances-{slug}")
    yield _sweep(board, f"sweep-{slug}")
    yield _review(board, f"review-{slug}")


def _scatter(analysis: Analysis, board: BoardResult, name: str) -> Drawing:
    """FD against distance, one mark per entry, by label."""
    figure, axes = new_axes()
    labels = np.asarray(analysis.labels, dtype=object)
    for label, (color, marker) in _styles(analysis).items():
        mask = labels == label
        axes.plot(
            board.distance[mask],
            board.fd[mask],
            linestyle="none",
            marker=marker,
            markersize=3.2 if label else 2.2,
            markeredgewidth=0,
            color=palette()[color],
            alpha=0.75 if label else 0.35,
            label=f"{printable(label) or 'not reviewed'} ({int(mask.sum()):,})",
            rasterized=len(labels) > 5_000,
        )
    _thresholds(axes, board)
    axes.set(xlabel="memorization distance", ylabel="Fréchet distance")
    if board.fd.min() > 0:
        _log_scale(axes)
    legend(figure, columns=3, markerscale=1.8, handletextpad=0.1)
    correlations = "; ".join(
        f"{correlation.group} r = {number(correlation.pearson)}"
        for correlation in board.correlations
        if correlation.n > 2
    )
    return drawing(
        figure,
        name=name,
        group=board.name,
        title="Fréchet distance against memorization distance",
        caption="Each mark is an entry. Copies lie at the lower left: their low Fréchet distance "
        "comes with a small distance to the training set.",
        description=f"Scatter plot by label. Correlations: {correlations}.",
        with_png=True,
    )


def _histogram(analysis: Analysis, board: BoardResult, name: str) -> Drawing:
    """Distances of honest and of cheating entries, with τ."""
    figure, axes = new_axes()
    labels = np.asarray(analysis.labels, dtype=object)
    top = float(board.sweep.taus[-1])
    bins = np.linspace(0, 1.03 * top if top > 0 else 1.0, 51)
    groups = (
        ("cheating", analysis.cheating_labels, "copying"),
        ("honest", analysis.honest_labels, "generated"),
    )
    for group, group_labels, color in groups:
        values = board.distance[np.isin(labels, group_labels)]
        axes.hist(values, bins=bins.tolist(), color=palette()[color], alpha=0.25)
        axes.hist(
            values,
            bins=bins.tolist(),
            histtype="step",
            color=palette()[color],
            linewidth=1.4,
            label=f"{group} ({len(values):,})",
        )
    _thresholds(axes, board)
    axes.set(xlabel="memorization distance", ylabel="entries", xlim=(0, None))
    legend(figure, columns=2)
    return drawing(
        figure,
        name=name,
        group=board.name,
        title="Memorization distances with the thresholds",
        caption="Entries left of a threshold are penalized. Entries that nobody reviewed are not "
        "drawn.",
        description=f"Histograms of honest and cheating entries. Area under the ROC curve "
        f"{number(board.calibration.margins.auc)}, d′ {number(board.calibration.margins.d_prime)}.",
        with_png=True,
    )


def _sweep(board: BoardResult, name: str) -> Drawing:
    """Shares of entries caught and penalized, by τ."""
    figure, axes = new_axes()
    sweep, margins = board.sweep, board.calibration.margins
    axes.plot(
        sweep.taus,
        100 * sweep.caught / margins.cheating,
        color=palette()["copying"],
        linewidth=1.8,
        label="cheats caught",
    )
    axes.plot(
        sweep.taus,
        100 * sweep.penalized / margins.honest,
        color=palette()["generated"],
        linewidth=1.8,
        linestyle=(0, (5, 2)),
        label="honest entries penalized",
    )
    _thresholds(axes, board)
    axes.set(xlabel="threshold τ", ylabel="% of the group", xlim=(0, None), ylim=(0, 103))
    legend(figure, columns=2)
    best = board.calibration.thresholds["false_penalty"]
    return drawing(
        figure,
        name=name,
        group=board.name,
        title="Caught and penalized by τ",
        caption="The best threshold is where the line of the cheats is high and the honest line is "
        "still low.",
        description=f"At τ = {number(best.tau)}, {best.caught:,} of {best.cheating:,} cheats are "
        f"caught and {best.penalized:,} of {best.honest:,} honest entries penalized.",
        with_png=True,
    )


def _review(board: BoardResult, name: str) -> Drawing:
    """Entries opened until the top k are clean."""
    figure, axes = new_axes()
    lines = {
        "no penalty": ("copying", "-"),
        "in force": ("test", (0, (1, 1))),
        "false_penalty": ("generated", "-"),
        "error": ("clear", (0, (5, 2))),
    }
    for case in board.reviews:
        if case.name in lines and len(case.path):
            color, dashes = lines[case.name]
            tau = "" if case.tau is None else f" ({number(case.tau)})"
            axes.plot(
                np.arange(1, len(case.path) + 1),
                case.path,
                color=palette()[color],
                linestyle=dashes,
                linewidth=1.8,
                label=f"{CASE_NAMES[case.name]}{tau}",
            )
    longest = max((len(case.path) for case in board.reviews), default=1)
    axes.plot([0, longest], [0, longest], color=palette()["rule"], linewidth=1, zorder=0)
    axes.set(xlabel="clean entries wanted at the top", ylabel="entries opened")
    axes.set(xlim=(0, longest), ylim=(0, None))
    legend(figure, columns=2)
    opened = "; ".join(
        f"{CASE_NAMES[case.name]}: {case.blank_is_neither.opened:,} opened"
        for case in board.reviews
    )
    return drawing(
        figure,
        name=name,
        group=board.name,
        title="Entries to open until the top is clean",
        caption="The thin line is a leaderboard without cheats: every entry opened is clean.",
        description=f"{opened}.",
        with_png=True,
    )


def _ranks(analysis: Analysis, first: BoardResult, second: BoardResult, name: str) -> Drawing:
    """The ranks of the same honest entries on two leaderboards."""
    figure, axes = new_axes()
    honest = np.isin(np.asarray(analysis.labels, dtype=object), analysis.honest_labels)
    ranks = [
        np.argsort(np.argsort(board.fd[honest], kind="stable")) + 1 for board in (first, second)
    ]
    axes.plot([1, honest.sum()], [1, honest.sum()], color=palette()["muted"], linewidth=0.8)
    axes.plot(
        *ranks,
        linestyle="none",
        marker="o",
        markersize=3,
        markeredgewidth=0,
        color=palette()["generated"],
        alpha=0.6,
    )
    names = [printable(board.name) for board in (first, second)]
    axes.set(xlabel=f"rank, {names[0]} leaderboard", ylabel=f"rank, {names[1]} leaderboard")
    agreement = next(
        pair
        for pair in analysis.agreements
        if pair.boards == (first.name, second.name) and (pair.by, pair.group) == ("fd", "honest")
    )
    return drawing(
        figure,
        name=name,
        group="",
        title=f"Honest entries by Fréchet distance: {names[0]} and {names[1]}",
        caption="Entries on the line have the same rank on both leaderboards.",
        description=f"Ranks of the same {agreement.n:,} entries; Spearman "
        f"{number(agreement.spearman)}, mean absolute difference "
        f"{number(agreement.mean_rank_difference)} places.",
        with_png=True,
    )


def _thresholds(axes: Axes, board: BoardResult) -> None:
    """Vertical lines at τ without false penalties and at the τ in force, named above the axes."""
    marks: list[tuple[float, str, Any, str]] = [
        (board.calibration.thresholds["false_penalty"].tau, "τ*", "-", "ink")
    ]
    if board.in_force is not None:
        marks.append((board.in_force.tau, "τ in force", (0, (1, 1.2)), "test"))
    for row, (tau, name, dashes, color) in enumerate(marks):
        axes.axvline(tau, color=palette()[color], linestyle=dashes, linewidth=1.1)
        axes.annotate(
            f"{name} {number(tau)}",
            (tau, 1),
            xycoords=("data", "axes fraction"),
            xytext=(0, 3 + 12 * row),
            textcoords="offset points",
            ha="center",
            fontsize=9,
            color=palette()[color],
        )


def _log_scale(axes: Axes) -> None:
    """A logarithmic y axis with plain numbers at 1, 2 and 5 times the powers of ten."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    axes.set_yscale("log")
    axes.yaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0), numticks=12))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.12g}"))
    axes.yaxis.set_minor_formatter(NullFormatter())


def _styles(analysis: Analysis) -> dict[str, tuple[str, str]]:
    """Color and marker by label, in drawing order: not reviewed, honest, cheating."""
    counts = analysis.counts
    styles = {"": ("muted", "o")} if "" in counts else {}
    styles.update({name: ("generated", "o") for name in analysis.honest_labels if name in counts})
    cheats = [name for name in analysis.cheating_labels if name in counts]
    for position, name in enumerate(cheats):
        styles[name] = (
            CHEAT_COLORS[position % len(CHEAT_COLORS)],
            CHEAT_MARKERS[position % len(CHEAT_MARKERS)],
        )
    return styles


def _slugs(names: list[str]) -> list[str]:
    """Leaderboard names as unique parts of file names: letters, digits and hyphens."""
    slugs = []
    for position, name in enumerate(names, start=1):
        slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:40]
        slugs.append(slug if slug and slug not in slugs else f"board-{position}")
    return slugs
