"""The beginning of a run: what can be wrong is found cheapest first, before images are embedded."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from genmem.errors import InputError, UsageError
from genmem.images import Progress
from genmem.report.files import check_folder_writable
from genmem.training import checkpoints, runlog
from genmem.training.checkpoints import Checkpoint
from genmem.training.gan.measuring import Measuring
from genmem.training.gan.parts import (
    Device,
    check_backbones,
    held_out_images,
    make_accelerator,
    make_measuring,
    make_rejection,
    training_images,
)
from genmem.training.gan.saved import load_gan
from genmem.training.gan.settings import Settings
from genmem.training.gan.state import Training
from genmem.training.runlog import read_log

Tell = Callable[[str], None]
"""Called with a sentence that the person at the keyboard should read."""


def begin(
    settings: Settings,
    folder: Path,
    *,
    resume: bool,
    device: Device,
    progress: Progress | None,
    tell: Tell | None,
) -> tuple[Training, Measuring | None]:
    """A training ready for its next step, and what measures it: in the main process, if anything.

    Raises:
        InputError: images or a checkpoint that cannot be used.
        UsageError: settings that do not go together or with the checkpoint, a folder that cannot
            be used, a run that is at its last step.
        WeightsError: a backbone's weights are missing.
    """
    _check_folder(folder, resume=resume)
    checkpoint = load_gan(folder / checkpoints.FILE) if resume else None
    if checkpoint is not None:
        _check_steps(checkpoint, folder, settings)
    accelerator = make_accelerator(settings, device)
    main = accelerator.is_main_process
    shown = progress if main else None
    check_backbones(settings)
    data = training_images(settings, shown)
    if main and tell is not None:
        for note in data.notes:
            tell(note)
    training = Training(settings, data, accelerator, None)
    if checkpoint is not None:
        training.load(checkpoint)
    del checkpoint
    test = held_out_images(settings, data, shown) if main else None
    training.reject_with(make_rejection(settings, data, accelerator, shown))
    measuring = make_measuring(settings, data, test, accelerator, shown) if main else None
    return training, measuring


def _check_folder(folder: Path, *, resume: bool) -> None:
    """Refuse to write over a run, to resume where there is none, or to write where none can."""
    there = (folder / checkpoints.FILE).is_file()
    if resume and not there:
        raise InputError(f"{folder}: there is no {checkpoints.FILE} to resume from.")
    if there and not resume:
        raise UsageError(
            f"{folder} holds a run already; go on with it by --resume, or name another folder."
        )
    check_folder_writable(folder)


def _check_steps(checkpoint: Checkpoint, folder: Path, settings: Settings) -> None:
    """Refuse to go on with a run that has nothing left to do."""
    step = int(checkpoint.state["step"])
    if step > settings.steps or (
        step == settings.steps and not left_undone(folder, settings, step)
    ):
        raise UsageError(
            f"{folder}: the run is at step {step:,} of {settings.steps:,} already; give more "
            "--steps to train on."
        )


def is_due(every: int, step: int, settings: Settings) -> bool:
    """Whether what is done every so many steps (0: never), and at the end, is done after `step`."""
    return every > 0 and (step == settings.steps or step % every == 0)


def samples_file(folder: Path, step: int) -> Path:
    """Where the grid of samples after so many steps is."""
    return folder / "samples" / f"step-{step:07d}.png"


def left_undone(folder: Path, settings: Settings, step: int) -> set[str]:
    """What was due at a checkpoint's step and is not there: "samples", "measured".

    A run that ends between its checkpoint and these, at a signal or killed, leaves them undone.
    """
    if step < 1:
        return set()
    undone: set[str] = set()
    if is_due(settings.sample_every, step, settings) and not samples_file(folder, step).is_file():
        undone.add("samples")
    if settings.measure_with and is_due(settings.measure_every, step, settings):
        lines = read_log(folder / runlog.FILE)
        if not any(line["step"] == step and "measured" in line for line in lines):
            undone.add("measured")
    return undone
