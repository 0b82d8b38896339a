"""The steps of a study after its runs are trained, and its files.

DIR/runs/MODEL-tau-T-seed-S/   a run each, as `genmem train gan` leaves it, with its evaluations
DIR/study.json                 all numbers (`StudyResults`)
DIR/study.html                 one page
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from genmem.errors import UsageError
from genmem.images import Progress
from genmem.report.rejection_study.page import write_study_page
from genmem.study_results.rejection import StudyResults
from genmem.training.common.checkpoint import CHECKPOINT_FILE
from genmem.training.common.config import Device
from genmem.training.gan.trainer import load_gan_state
from genmem.training.rejection_study.aggregate import Evaluations, aggregate
from genmem.training.rejection_study.evaluation import Evaluation, evaluate_run
from genmem.training.rejection_study.examples import build_strips
from genmem.training.rejection_study.feature_spaces import (
    FeatureSpace,
    ImageSets,
    build_feature_space,
)
from genmem.training.rejection_study.grid import GridRun, Plan
from genmem.training.rejection_study.runs import is_finished

NUMBERS_FILE, PAGE_FILE = "study.json", "study.html"


def build_feature_spaces(
    plan: Plan, sets: ImageSets, *, device: Device, progress: Progress | None = None
) -> list[FeatureSpace]:
    """The feature spaces of a study, one for each of its backbones.

    Args:
        plan: the study.
        sets: its images.
        device: "auto", "cpu" or "cuda".
        progress: told about every set.

    Raises:
        UsageError: an unknown backbone.
        WeightsError: weights are missing.
    """
    kind = "cuda" if device != "cpu" and torch.cuda.is_available() else "cpu"
    return [
        build_feature_space(name, sets, device=kind, progress=progress)
        for name in plan.evaluate_with
    ]


def check_runs(runs: Sequence[GridRun], sets: ImageSets) -> None:
    """Refuse to resume or evaluate runs of other training images.

    Raises:
        InputError: a checkpoint that cannot be read.
        UsageError: a run of other images.
    """
    for run in runs:
        path = run.folder / CHECKPOINT_FILE
        if path.is_file() and load_gan_state(path)["images"] != sets.train.digest:
            raise UsageError(
                f"{run.folder}: the run was trained on different images from those in --train. "
                "Use another --out, or the same images."
            )


def evaluate_runs(
    runs: Sequence[GridRun],
    sets: ImageSets,
    spaces: Sequence[FeatureSpace],
    *,
    samples: int,
    progress: Progress | None = None,
) -> dict[tuple[str, str], Evaluation]:
    """Every finished run in every feature space, by their names; stored evaluations are read.

    Args:
        runs: of the study.
        sets: its images.
        spaces: to evaluate in.
        samples: generated images of each run.
        progress: told how many runs are evaluated.

    Raises:
        InputError: a checkpoint that cannot be read.
        UsageError: a run of other training images, or a full disk.
    """
    check_runs(runs, sets)
    finished = [run for run in runs if is_finished(run)]
    evaluations: dict[tuple[str, str], Evaluation] = {}
    for number, run in enumerate(finished):
        if progress:
            progress("runs evaluated", number, len(finished))
        for space in spaces:
            evaluations[run.name, space.name] = evaluate_run(run, sets, space, samples=samples)
    if progress and finished:
        progress("runs evaluated", len(finished), len(finished))
    return evaluations


def write_results(
    plan: Plan,
    sets: ImageSets,
    spaces: Sequence[FeatureSpace],
    evaluations: Evaluations,
    progress: Progress | None = None,
) -> StudyResults:
    """Write `study.json` and `study.html`; the first feature space is shown most closely.

    Args:
        plan: the study.
        sets: its images.
        spaces: evaluated in.
        evaluations: of the finished runs.
        progress: told that figures are drawn.

    Returns:
        What `study.json` holds.

    Raises:
        UsageError: a full disk.
    """
    if progress:
        progress("drawing", 0, None)
    results = aggregate(plan, sets, spaces, evaluations)
    results.save(plan.folder / NUMBERS_FILE)
    strips = build_strips(plan, sets.train, spaces[0], evaluations)
    write_study_page(results, strips, plan.folder / PAGE_FILE)
    return results
