"""A rejection study's findings and tables as text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from genmem.formatting import count, number, printable, share
from genmem.report.common.tables import Table as TextTable
from genmem.study_results.rejection import Cell, PairedMean, SeedMean, StudyResults

METRICS = {
    "fd": "FD to train",
    "fd_test": "FD to test",
    "c_t": "C_T",
    "c_t_by_class": "C_T, by class",
    "c_t_cells": "C_T, 3 cells",
    "copied_fraction": "Copied",
    "memorization_distance": "Distance",
}
DIFFERENCES = ("fd_test", "c_t")
MAX_FD_RATIO = 1.05
"""FD to the test images holds while it is at most this many times that without rejection."""
NONE = "–"


def format_tau(cell: Cell) -> str:
    """`0, no rejection`, `0.05`, `auto (0.0696)`."""
    if cell.tau == 0:
        return "0, no rejection"
    if cell.tau == "auto":
        mean = cell.log.tau.mean
        return "auto" if mean is None else f"auto ({number(mean)})"
    return number(float(cell.tau))


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A cell of a table: a number, and below it its interval ("" where there is none)."""

    value: str
    interval: str = ""


@dataclass(frozen=True, kw_only=True)
class Table:
    """A caption, the columns' names, and rows: a header and its entries."""

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Entry, ...]], ...]


def format_mean(mean: SeedMean, *, percent: bool = False) -> Entry:
    """A mean over seeds with its interval; `percent`: it is a share in [0, 1]."""
    form = share if percent else _short
    if mean.mean is None:
        return Entry(value=NONE)
    if mean.low is None or mean.high is None:
        return Entry(value=form(mean.mean))
    low = max(mean.low, 0.0) if percent else mean.low
    high = min(mean.high, 1.0) if percent else mean.high
    unit = " %" if percent else ""
    return Entry(value=form(mean.mean), interval=f"{form(low).removesuffix(unit)} to {form(high)}")


def _short(value: float) -> str:
    """Three significant digits, all before the point: seeds vary too much for a fourth."""
    return number(value if abs(value) >= 1000 else float(f"{value:.3g}"))


def describe_finding(results: StudyResults, model: str, space: str) -> str:
    """What rejection did to a model, in one or two sentences.

    Of the τ at which FD to the test images, which copies of training images do not lower, held (its
    mean at most 5 % higher than without rejection), the one with C_T nearest 0 is named: there
    samples are as near to the training images as test images are. The best of several looks better
    than it is, so the sentence gives their number; runs that ended early count among them.

    Args:
        results: of the study.
        model: one of its models.
        space: one of its feature spaces.
    """
    cells = results.cells_of(model)
    base = next((cell for cell in cells if cell.tau == 0), None)
    if base is None:
        return "There is no run without rejection to compare with."
    start = base.spaces[space].metrics
    c_t, fd_test = start["c_t"].mean, start["fd_test"].mean
    if c_t is None:
        return "C_T is not defined here."
    if fd_test is None:
        return "FD to the test images is not defined here."
    with_rejection = [cell for cell in cells if cell.tau != 0]
    tried = sum(cell.model == model and cell.tau != 0 for cell in results.cells)
    if not with_rejection:
        return "No run with rejection came to its last step." if tried else "No τ was tried."
    held = [
        (abs(value), number, cell)
        for number, cell in enumerate(with_rejection)
        if (value := _c_t_if_fd_holds(cell.spaces[space].metrics, fd_test)) is not None
    ]
    before, fd_before = _short(c_t), _short(fd_test)
    if not held:
        return (
            f"FD to the test images rose by more than 5 % at {_each_tau(len(with_rejection))}. "
            f"Without rejection C_T is {before} at FD {fd_before}."
        )
    best = min(held)[2]
    metrics = best.spaces[space].metrics
    change = metrics["c_t"].difference
    return (
        f"At τ = {format_tau(best)}{_selection(len(held), tried)} C_T is "
        f"{format_mean(metrics['c_t']).value}, against {before} without rejection: "
        f"{_describe_change(change)} over {count(change.n, 'pair')} of runs. FD to the test images "
        f"is {format_mean(metrics['fd_test']).value}, against {fd_before}."
    )


def _c_t_if_fd_holds(metrics: Mapping[str, PairedMean], start: float) -> float | None:
    """C_T where FD to the test images is at most 5 % above `start`; else None."""
    fd_test = metrics["fd_test"].mean
    return metrics["c_t"].mean if fd_test is not None and fd_test <= MAX_FD_RATIO * start else None


def _each_tau(evaluated: int) -> str:
    return "the τ evaluated" if evaluated == 1 else f"each of the {evaluated} τ evaluated"


def _selection(held: int, tried: int) -> str:
    """How the τ was chosen; "" where there was no choice."""
    if tried == 1:
        return ""
    among = "" if held == tried else f" of the {held} at which FD to the test images held"
    return f", the best of {tried} tried (its C_T is nearest 0{among}),"


def _describe_change(difference: SeedMean) -> str:
    if difference.mean is None:
        return "no seed has both"
    verb = "rose" if difference.mean > 0 else "fell" if difference.mean < 0 else "moved"
    change = f"it {verb} by {_short(abs(difference.mean))}"
    if difference.low is None or difference.high is None:
        return f"{change} (one seed, so no interval)"
    interval = f"{_short(difference.low)} to {_short(difference.high)}"
    chance = ", so it may be chance" if difference.low <= 0 <= difference.high else ""
    return f"{change} (95 % interval of the change {interval}{chance})"


def metrics_table(results: StudyResults, model: str, space: str) -> Table:
    """A row for each τ: quality, copying, cost."""
    rows = []
    for cell in results.cells_of(model):
        metrics = cell.spaces[space].metrics
        acceptance, ratio = cell.log.acceptance.mean, cell.log.cost_ratio.mean
        row = [
            Entry(value=f"{len(cell.seeds)}"),
            Entry(value=NONE if ratio is None else f"{_short(ratio)}×"),
            Entry(value=NONE if acceptance is None else share(acceptance)),
        ]
        for name in METRICS:
            row.append(format_mean(metrics[name], percent=name == "copied_fraction"))
            if name in DIFFERENCES:
                change = Entry(value=NONE)
                row.append(change if cell.tau == 0 else format_mean(metrics[name].difference))
        rows.append((format_tau(cell), tuple(row)))
    columns = ["τ", "Runs", "Step time", "Accepted"]
    for name, heading in METRICS.items():
        columns += [heading, "change"] if name in DIFFERENCES else [heading]
    return Table(
        caption=f"{printable(model)}, evaluated in {printable(space)}: means over seeds, 95 % "
        "intervals below",
        columns=tuple(columns),
        rows=tuple(rows),
    )


def references_table(results: StudyResults, space: str) -> TextTable:
    """How far each reference set is from the training images."""
    return TextTable(
        caption=f"Reference sets in {printable(space)}: distance to the nearest training image",
        columns=("Reference", "Images", "Mean distance"),
        rows=tuple(
            (printable(name), f"{reference.count:,}", number(reference.mean_distance))
            for name, reference in results.spaces[space].references.items()
        ),
    )


def describe_early_ends(results: StudyResults) -> list[str]:
    """A sentence for each run that did not come to its last step."""
    return [
        f"{printable(run.name)} ended before its last step: {printable(run.ended)}"
        for run in results.runs
        if run.ended is not None
    ]


def describe_study(results: StudyResults) -> str:
    """What was trained on what: `12 runs: 2 models × 3 thresholds × 2 seeds, …`."""
    plan = results.plan
    factors = (
        count(len(plan.models), "model"),
        count(len(plan.taus), "threshold"),
        count(len(plan.seeds), "seed"),
    )
    side = plan.training["size"]
    return (
        f"{count(len(results.runs), 'run')}: {' × '.join(factors)}; "
        f"{count(plan.train.count, 'image')} of {side} × {side} to train on, "
        f"{count(plan.training['steps'], 'generator step')}; "
        f"rejection in {printable(plan.backbone)}"
    )
