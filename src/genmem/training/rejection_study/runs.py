"""Training the runs of a study; finished ones are never trained again.

RUN/ended.json   why a run ended before its last step: its τ rejects everything, or its loss is not
                 finite. Such a run is not started again while the file is there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from genmem.errors import InputError, UsageError
from genmem.images import Progress
from genmem.io.atomic import check_folder_writable
from genmem.io.documents import Document
from genmem.training.common.checkpoint import CHECKPOINT_FILE
from genmem.training.common.config import Device
from genmem.training.common.run_folder import DivergedError
from genmem.training.gan.config import GanConfig, training_values
from genmem.training.gan.train import train
from genmem.training.gan.trainer import load_gan_state
from genmem.training.rejection.statistics import RejectsEverythingError
from genmem.training.rejection_study.grid import RUNS, GridRun, Plan
from genmem.training.sweep.run_spec import RunSpec
from genmem.training.sweep.runner import Backend, run_all

ENDED_FILE = "ended.json"

RUN_KIND = "genmem.training.rejection_study.runs:train_run"
"""See `RunSpec.kind`."""


@dataclass(frozen=True, kw_only=True)
class EarlyEnd(Document):
    """Why a run of these settings ended before its last step."""

    reason: str
    config: dict[str, Any]


def is_finished(run: GridRun) -> bool:
    """Whether a run is at its last step.

    Raises:
        UsageError: the folder holds a run of another configuration, or of more steps.
        InputError: its checkpoint cannot be read.
    """
    path = run.folder / CHECKPOINT_FILE
    if not path.is_file():
        return False
    state = load_gan_state(path)
    expected = training_values(run.config.to_dict())
    for name, value in state["config"].items():
        if expected.get(name) != value:
            raise UsageError(
                f"{run.folder}: the run was trained with {name} = {value!r}, the study asks for "
                f"{expected.get(name)!r}. Name another --out, or remove that run."
            )
    step, steps = int(state["step"]), run.config.steps
    if step > steps:
        raise UsageError(
            f"{run.folder}: the run is at step {step:,}, the study asks for {steps:,}. Ask for as "
            "many, or name another --out."
        )
    return step == steps


def check_folders(plan: Plan) -> None:
    """Refuse a study's folder that cannot be used, or holds other runs, before anything is read.

    Raises:
        UsageError: it, or a run's, is a file; it cannot be written; a run there has another
            configuration, or more steps.
        InputError: a checkpoint there cannot be read.
    """
    for folder in (plan.folder, plan.folder / RUNS, *(run.folder for run in plan.runs)):
        check_folder_writable(folder)
    for run in plan.runs:
        is_finished(run)


def ended_early(run: GridRun) -> str | None:
    """Why a run of this configuration ended before its last step; None where it did not."""
    try:
        end = EarlyEnd.load(run.folder / ENDED_FILE)
    except InputError:
        return None
    return end.reason if end.config == training_values(run.config.to_dict()) else None


def train_run(
    spec: RunSpec,
    *,
    progress: Progress | None = None,
    on_stop: Callable[[], None] | None = None,
) -> bool:
    """Train a run, from its checkpoint where it has one.

    Arguments and result are those of `sweep.run_spec.execute`.

    Raises:
        InputError, UsageError, WeightsError: see `training.gan.train`.
    """
    del on_stop  # `train` has no use for it
    config = GanConfig(**spec.config)
    run = GridRun(model=config.model, tau=0, seed=config.seed, config=config, folder=spec.folder)
    if is_finished(run) or ended_early(run) is not None:
        return True
    try:
        result = train(
            config,
            spec.folder,
            resume=(spec.folder / CHECKPOINT_FILE).is_file(),
            device=spec.device,
            progress=progress,
        )
    except (RejectsEverythingError, DivergedError) as error:
        end = EarlyEnd(reason=str(error), config=training_values(config.to_dict()))
        end.save(spec.folder / ENDED_FILE)
        return True
    return not result.interrupted


def train_runs(
    runs: Sequence[GridRun],
    backend: Backend,
    *,
    folder: Path,
    device: Device = "auto",
    progress: Progress | None = None,
) -> None:
    """Train every run that is not finished and did not end early.

    Args:
        runs: in the order in which to start them.
        backend: trains the runs.
        folder: of the study.
        device: "auto", "cpu" or "cuda".
        progress: told how many runs are over.

    Raises:
        UsageError: a folder that holds another run, or another process trains runs there.
        StoppedError: a run was asked to stop; all have saved.
        GenmemError: a run failed.
    """
    waiting = {
        run.folder: RunSpec(
            kind=RUN_KIND, config=run.config.to_dict(), folder=run.folder, device=device
        )
        for run in runs
        if not is_finished(run) and ended_early(run) is None
    }

    def report() -> None:
        if progress:
            progress("runs of the study", len(runs) - len(waiting), len(runs))

    def remove(spec: RunSpec) -> None:
        del waiting[spec.folder]
        report()

    report()
    if waiting:
        folder.mkdir(parents=True, exist_ok=True)
        run_all(lambda: list(waiting.values()), backend, folder=folder, on_finished=remove)
