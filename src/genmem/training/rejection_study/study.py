"""`genmem study rejection` as a function: train, measure, put together.

DIR/runs/MODEL-tau-T-seed-S/   a run each, as `genmem train gan` leaves it, and what was measured
DIR/study.json                 all numbers
DIR/study.html                 one page
"""

from __future__ import annotations

import json
from collections.abc import Sequence

import torch

from genmem.images import Progress
from genmem.io.atomic import atomic_write
from genmem.report.rejection_study.page import write_study
from genmem.results import Json
from genmem.training.common.checkpoint import CHECKPOINT_FILE
from genmem.training.common.config import Device
from genmem.training.gan.trainer import load_gan_state
from genmem.training.rejection_study.aggregate import summarise
from genmem.training.rejection_study.evaluation import Measured, check_images, measure
from genmem.training.rejection_study.examples import exhibits, maps
from genmem.training.rejection_study.feature_spaces import Sets, Space, open_space
from genmem.training.rejection_study.grid import Case, Plan
from genmem.training.sweep.runner import is_finished

KIND_OF_FILE = "genmem rejection study 1"
NUMBERS, PAGE = "study.json", "study.html"


def open_spaces(
    plan: Plan, sets: Sets, *, device: Device, progress: Progress | None = None
) -> list[Space]:
    """The spaces a study measures in, one for each of its backbones.

    Raises:
        UsageError: an unknown backbone.
        WeightsError: weights are missing.
    """
    kind = "cuda" if device != "cpu" and torch.cuda.is_available() else "cpu"
    return [open_space(name, sets, device=kind, progress=progress) for name in plan.measure_with]


def check_runs(cases: Sequence[Case], sets: Sets) -> None:
    """Refuse to go on with runs of other training images.

    Raises:
        InputError: a checkpoint that cannot be read.
        UsageError: a run of other images.
    """
    for case in cases:
        path = case.folder / CHECKPOINT_FILE
        if path.is_file():
            check_images(case, str(load_gan_state(path)["images"]), sets)


def measure_all(
    cases: Sequence[Case],
    sets: Sets,
    spaces: Sequence[Space],
    *,
    images: int,
    progress: Progress | None = None,
) -> dict[tuple[str, str], Measured]:
    """Every finished run in every space, by their names; what was measured before is read.

    Raises:
        InputError: a checkpoint that cannot be read.
        UsageError: a run of other training images, or a full disk.
    """
    check_runs(cases, sets)
    finished = [case for case in cases if is_finished(case)]
    found: dict[tuple[str, str], Measured] = {}
    for number, case in enumerate(finished):
        if progress:
            progress("runs measured", number, len(finished))
        for space in spaces:
            found[case.name, space.name] = measure(case, sets, space, images=images)
    if progress and finished:
        progress("runs measured", len(finished), len(finished))
    return found


def write_results(
    plan: Plan,
    sets: Sets,
    spaces: Sequence[Space],
    found: dict[tuple[str, str], Measured],
    progress: Progress | None = None,
) -> dict[str, Json]:
    """Write `study.json` and `study.html`; the first space is the one that is looked at closely.

    Returns:
        What `study.json` holds.

    Raises:
        UsageError: a full disk.
    """
    from importlib.metadata import version

    if progress:
        progress("drawing", 0, None)
    versions = {name: version(name) for name in ("genmem", "torch", "numpy", "scipy")}
    document: dict[str, Json] = {
        "kind": KIND_OF_FILE,
        **summarise(plan, sets, spaces, found),
        "maps": maps(plan, spaces[0], found),
        "versions": versions,
    }
    with atomic_write(plan.folder / NUMBERS) as file:
        file.write((json.dumps(document, allow_nan=False) + "\n").encode())
    shown = exhibits(plan, sets.train, spaces[0], found)
    write_study(document, shown, plan.folder / PAGE)
    return document
