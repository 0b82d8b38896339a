"""Doing one trial: its images, its training, the measurement of every snapshot.

A trial that was interrupted, however hard, goes on from its checkpoint and finds the same numbers
as one that was not; a finished one is never done again. When it is finished its checkpoint and all
snapshots but the one with the largest ratio are deleted.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import torch
from filelock import FileLock

from genmem.errors import InputError
from genmem.images import Progress
from genmem.results import Json
from genmem.training.data import TrainingImages
from genmem.training.diffusion import runs
from genmem.training.diffusion.loop import train
from genmem.training.diffusion.state import Device
from genmem.training.emm.exhibits import exhibits
from genmem.training.emm.images import training_images
from genmem.training.emm.trial import OUTCOME, Trial, outcome, read_task, write_document


def do_trial(
    folder: Path,
    *,
    device: Device = "auto",
    progress: Progress | None = None,
    on_stop: Callable[[], None] | None = None,
) -> dict[str, Json] | None:
    """Do the trial that FOLDER/task.json describes, or go on with it.

    A second process that is given the same folder waits for the first.

    Args:
        folder: the trial's.
        device: where to train.
        progress: told how far training and measuring are.
        on_stop: called at the first Ctrl-C or SIGTERM, to say that it was heard.

    Returns:
        What it found, as `outcome` reads it; None: it was asked to stop (Ctrl-C or SIGTERM), and
        has saved.

    Raises:
        InputError, UsageError: images or settings that cannot be trained with (see
            `training.diffusion.train`), or other images than the study began with.
    """
    with FileLock(folder / ".lock"):
        found = outcome(folder)
        if found is not None:
            return found
        trial = read_task(folder)
        threads = torch.get_num_threads()
        torch.set_num_threads(trial.threads)
        try:
            return _do(trial, folder, device, progress, on_stop)
        finally:
            torch.set_num_threads(threads)


def _do(
    trial: Trial,
    folder: Path,
    device: Device,
    progress: Progress | None,
    on_stop: Callable[[], None] | None,
) -> dict[str, Json] | None:
    data = training_images(
        trial.source,
        trial.second,
        trial.configuration,
        count=trial.count,
        seed=trial.seed,
        without_duplicates=trial.without_duplicates,
        progress=progress,
    )
    ending = train(
        data,
        folder,
        trial.settings,
        resume=(folder / runs.SETTINGS).is_file(),
        device=device,
        progress=progress,
        on_stop=on_stop,
    )
    if ending.interrupted or ending.asked:
        return None
    found = _measured(trial, data, folder, device)
    write_document(folder / OUTCOME, found)
    tidy(folder, keep=found["step"])
    return found


def _measured(trial: Trial, data: TrainingImages, folder: Path, device: Device) -> dict[str, Json]:
    """The ratio of every snapshot, and pictures of the best one's samples.

    Raises:
        InputError: a ratio is lost, and its snapshot too.
    """
    on = "cuda" if device != "cpu" and torch.cuda.is_available() else "cpu"
    ratios = runs.ratios(folder)
    lost = set(trial.settings.snapshot_steps(len(data))) - ratios.keys()
    if lost:
        raise InputError(
            f"{folder}: neither the ratio after {min(lost)} steps is there nor its snapshot. "
            "Delete the folder to do the trial anew."
        )
    snapshots = list(ratios.values())
    best = max(snapshots, key=lambda one: (one["ratio"], one["step"]))
    run = runs.load_run(folder, step=best["step"], device=on)
    return {
        "ratio": best["ratio"],
        "step": best["step"],
        "snapshots": snapshots,
        "duplicates": data.duplicates,
        "digest": data.digest,
        "exhibits": exhibits(run, data, seed=run.settings.seed, device=on),
    }


def tidy(folder: Path, *, keep: int) -> None:
    """Delete what only an unfinished training needs: all but the snapshot of step `keep`."""
    (folder / runs.CHECKPOINT).unlink(missing_ok=True)
    for step in runs.snapshots(folder):
        if step != keep:
            runs.snapshot_file(folder, step).unlink(missing_ok=True)
