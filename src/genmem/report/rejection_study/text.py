"""A rejection study's findings and tables as text."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from genmem.formatting import count, number, printable, share
from genmem.report.common.tables import Table as TextTable

Cell = Mapping[str, Any]
"""One model at one τ, as `study.json` has it."""

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
FD_ROOM = 1.05
"""FD to the test images holds while it is at most so many times what it was."""
NONE = "–"


def tau_words(cell: Cell) -> str:
    """`0, no rejection`, `0.05`, `auto (0.0696)`."""
    if cell["tau"] == 0:
        return "0, no rejection"
    if cell["tau"] == "auto":
        found = cell["log"]["tau"]["mean"]
        return "auto" if found is None else f"auto ({number(found)})"
    return number(float(cell["tau"]))


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


def entry(found: Mapping[str, Any], *, percent: bool = False) -> Entry:
    """A mean over seeds, as `study.json` has it."""
    say = share if percent else _short
    if found["mean"] is None:
        return Entry(value=NONE)
    if found["low"] is None:
        return Entry(value=say(found["mean"]))
    low = max(found["low"], 0.0) if percent else found["low"]
    high = min(found["high"], 1.0) if percent else found["high"]
    unit = " %" if percent else ""
    return Entry(value=say(found["mean"]), interval=f"{say(low).removesuffix(unit)} to {say(high)}")


def _short(value: float) -> str:
    """Three significant digits, all before the point: seeds spread more than a fourth tells."""
    return number(value if abs(value) >= 1000 else float(f"{value:.3g}"))


def cells_of(document: Mapping[str, Any], model: str) -> list[Cell]:
    """A model's cells that have a measured run, in the order of τ."""
    return [one for one in document["cells"] if one["model"] == model and one["seeds"]]


def finding(document: Mapping[str, Any], model: str, space: str) -> str:
    """What rejection did to this model, in one or two sentences.

    Of the τ at which FD to the test images, which copies of training images do not lower, held (its
    mean at most 5 % higher than without rejection), the one whose C_T is nearest 0 is named: there
    samples are as near to the training images as test images are. The best of several looks better
    than it is, so the sentence says of how many it is; runs that ended early count among them.
    """
    cells = cells_of(document, model)
    base = next((one for one in cells if one["tau"] == 0), None)
    if base is None:
        return "There is no run without rejection to compare with."
    start = base["spaces"][space]["metrics"]
    if start["c_t"]["mean"] is None:
        return "C_T is not defined here."
    if start["fd_test"]["mean"] is None:
        return "FD to the test images is not defined here."
    with_rejection = [one for one in cells if one["tau"] != 0]
    tried = sum(one["model"] == model and one["tau"] != 0 for one in document["cells"])
    if not with_rejection:
        return "No run with rejection came to its last step." if tried else "No τ was tried."
    kept = [one for one in with_rejection if _fd_holds(one["spaces"][space]["metrics"], start)]
    before, fd_before = (_short(start[name]["mean"]) for name in ("c_t", "fd_test"))
    if not kept:
        return (
            f"FD to the test images rose by more than 5 % at {_every(len(with_rejection))}. "
            "Without rejection "
            f"C_T is {before} at FD {fd_before}."
        )
    best = min(kept, key=lambda one: abs(one["spaces"][space]["metrics"]["c_t"]["mean"]))
    metrics = best["spaces"][space]["metrics"]
    change = metrics["c_t"]["difference"]
    return (
        f"At τ = {tau_words(best)}{_best_of(len(kept), tried)} C_T is "
        f"{_short(metrics['c_t']['mean'])}, against {before} without rejection: {_change(change)} "
        f"over {count(change['n'], 'pair')} of runs. FD to the test images is "
        f"{_short(metrics['fd_test']['mean'])}, against {fd_before}."
    )


def _fd_holds(metrics: Mapping[str, Any], start: Mapping[str, Any]) -> bool:
    found, before = metrics["fd_test"]["mean"], start["fd_test"]["mean"]
    if metrics["c_t"]["mean"] is None or found is None or before is None:
        return False
    return found <= FD_ROOM * before


def _every(measured: int) -> str:
    return "the τ measured" if measured == 1 else f"each of the {measured} τ measured"


def _best_of(kept: int, tried: int) -> str:
    """How the τ was chosen; "" where there was no choice."""
    if tried == 1:
        return ""
    among = "" if kept == tried else f" of the {kept} at which FD to the test images held"
    return f", the best of {tried} tried (its C_T is nearest 0{among}),"


def _change(difference: Mapping[str, Any]) -> str:
    if difference["mean"] is None:
        return "no seed has both"
    moved = "rose" if difference["mean"] > 0 else "fell" if difference["mean"] < 0 else "moved"
    words = f"it {moved} by {_short(abs(difference['mean']))}"
    if difference["low"] is None:
        return f"{words} (one seed, so no interval)"
    interval = f"{_short(difference['low'])} to {_short(difference['high'])}"
    chance = ", so it may be chance" if difference["low"] <= 0 <= difference["high"] else ""
    return f"{words} (95 % interval of the change {interval}{chance})"


def main_table(document: Mapping[str, Any], model: str, space: str) -> Table:
    """τ by τ: quality, copying, cost."""
    rows = []
    for cell in cells_of(document, model):
        metrics, log = cell["spaces"][space]["metrics"], cell["log"]
        acceptance, ratio = log["acceptance"]["mean"], log["cost_ratio"]["mean"]
        row = [
            Entry(value=f"{len(cell['seeds'])}"),
            Entry(value=NONE if ratio is None else f"{_short(ratio)}×"),
            Entry(value=NONE if acceptance is None else share(acceptance)),
        ]
        for name in METRICS:
            row.append(entry(metrics[name], percent=name == "copied_fraction"))
            if name in DIFFERENCES:
                none = cell["tau"] == 0
                row.append(Entry(value=NONE) if none else entry(metrics[name]["difference"]))
        rows.append((tau_words(cell), tuple(row)))
    columns = ["τ", "Runs", "Step time", "Accepted"]
    for name, words in METRICS.items():
        columns += [words, "change"] if name in DIFFERENCES else [words]
    return Table(
        caption=f"{printable(model)}, measured in {printable(space)}: means over seeds, 95 % "
        "intervals below",
        columns=tuple(columns),
        rows=tuple(rows),
    )


def reference_table(document: Mapping[str, Any], space: str) -> TextTable:
    """How far each reference set is from the training images."""
    found = document["spaces"][space]["references"]
    return TextTable(
        caption=f"Reference sets in {printable(space)}: distance to the nearest training image",
        columns=("Reference", "Images", "Mean distance"),
        rows=tuple(
            (printable(name), f"{one['count']:,}", number(one["mean_distance"]))
            for name, one in found.items()
        ),
    )


def ended_early(document: Mapping[str, Any]) -> list[str]:
    """A sentence for each run that did not come to its last step."""
    return [
        f"{printable(run['name'])} ended before its last step: {printable(run['ended'])}"
        for run in document["runs"]
        if "ended" in run
    ]


def subtitle(document: Mapping[str, Any]) -> str:
    """What was trained on what: `12 runs: 2 models × 3 thresholds × 2 seeds, …`."""
    plan = document["plan"]
    runs = len(document["runs"])
    parts = (
        count(len(plan["models"]), "model"),
        count(len(plan["taus"]), "threshold"),
        count(len(plan["seeds"]), "seed"),
    )
    side = plan["training"]["size"]
    return (
        f"{count(runs, 'run')}: {' × '.join(parts)}; {count(plan['train']['count'], 'image')} of "
        f"{side} × {side} to train on, {count(plan['training']['steps'], 'generator step')}; "
        f"rejection in {printable(plan['embedding'])}"
    )
