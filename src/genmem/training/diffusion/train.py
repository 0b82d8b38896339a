"""Training: steps one after the other, what is due after each, and how a run ends.

Interrupted anywhere, a run resumes exactly (see `state`).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch

from genmem.errors import InputError, UsageError
from genmem.formatting import count
from genmem.images import Progress
from genmem.io.atomic import check_folder_writable
from genmem.results import Json
from genmem.training.common.checkpoint import (
    Checkpoint,
    load_checkpoint,
    module_tensors,
    save_checkpoint,
)
from genmem.training.common.dataset import TrainingImages
from genmem.training.common.run_log import RunLog
from genmem.training.common.signals import asked_to_stop
from genmem.training.diffusion import run_folder
from genmem.training.diffusion.config import TrainingSettings, differing, training_labels
from genmem.training.diffusion.trainer import Device, Training, make_accelerator


def check_images(data: TrainingImages, settings: TrainingSettings) -> None:
    """Refuse images that cannot be trained on, or not be measured at the first snapshot.

    Raises:
        InputError: another shape than the network takes, or fewer than two different images
            though snapshots are to be measured: d1/d2 needs two.
    """
    expected = settings.network.image_shape
    if tuple(data.pixels.shape[1:]) != expected:
        raise InputError(
            f"{data.name}: expected images of shape {list(expected)} (channels, height, width), as "
            f"the network takes, got {list(data.pixels.shape[1:])}."
        )
    if settings.samples and all(np.array_equal(data.pixels[0], one) for one in data.pixels[1:]):
        raise InputError(
            f"{data.name}: expected at least two different images, got {count(len(data), 'image')} "
            "with the same pixels: snapshots are measured by the distances to the two nearest. "
            "Give more images, or ask for samples of 0."
        )


def check_new(folder: Path) -> None:
    """Raise UsageError where the folder holds a run already, or cannot be written."""
    if any((folder / name).is_file() for name in (run_folder.CHECKPOINT, run_folder.SETTINGS)):
        raise UsageError(
            f"{folder} holds a run already; go on with it by --resume, or name another folder."
        )
    check_folder_writable(folder)


def checkpoint_of(
    folder: Path, settings: TrainingSettings, data: TrainingImages, *, resume: bool
) -> Checkpoint | None:
    """The checkpoint to go on from; None for a new run.

    Raises:
        InputError: other images than the run began with, or a checkpoint that cannot be used.
        UsageError: a run that is there already, or other settings than it began with.
    """
    if not resume:
        check_new(folder)
        return None
    document = run_folder.read_settings(folder)
    other = differing(settings, run_folder.settings_in(document, str(folder / run_folder.SETTINGS)))
    if other:
        raise UsageError(
            f"{folder}: the run began with another {', '.join(other)}; resume it with the settings "
            f"in its {run_folder.SETTINGS}, or begin another run."
        )
    if document["data"]["digest"] != data.digest:
        raise InputError(
            f"{folder}: the run began with other training images ({document['data']['name']}, "
            f"{document['data']['count']:,} images); expected the same ones to resume it."
        )
    if not (folder / run_folder.CHECKPOINT).is_file():
        return None  # stopped before the first checkpoint
    return load_checkpoint(folder / run_folder.CHECKPOINT, kind=run_folder.KIND)


def prepare_folder(
    folder: Path, settings: TrainingSettings, data: TrainingImages, source: Mapping[str, Json]
) -> None:
    """Make a new run's folder, with its settings.

    Raises:
        UsageError: it cannot be made.
    """
    from genmem import __version__

    try:
        (folder / run_folder.SNAPSHOTS).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"cannot make {folder}: {(error.strerror or '').lower()}.") from error
    described: dict[str, Json] = {
        "name": data.name,
        "count": len(data),
        "digest": data.digest,
        "duplicates": data.duplicates,
        "classes": list(data.classes),
    }
    versions = {"genmem": __version__, "torch": torch.__version__}
    run_folder.write_settings(
        folder,
        {
            "settings": settings.to_dict(),
            "data": described,
            "source": dict(source),
            "versions": versions,
        },
    )


CHECKPOINT_SECONDS = 300.0
"""How often everything is saved, at least."""

LOG_STEPS = 50
"""How often the mean loss is logged, and looked at."""


class DivergedError(InputError):
    """The loss is no number any more; the checkpoint is the one before that."""


class _AskedError(Exception):
    """A snapshot's measurement was asked to stop."""


@dataclass(frozen=True)
class Ending:
    """How training ended.

    Attributes:
        step: after how many steps.
        interrupted: whether something is left to do: steps, or the last snapshot's measurement.
        asked: whether it was asked to stop, perhaps too late for anything to be left.
        main: whether this process is the one of `processes` that tells of it.
    """

    step: int
    interrupted: bool
    asked: bool
    main: bool = True
    processes: int = 1


def train(
    data: TrainingImages,
    folder: str | Path,
    settings: TrainingSettings,
    *,
    resume: bool = False,
    device: Device = "auto",
    progress: Progress | None = None,
    stop_after: int | None = None,
    source: Mapping[str, Json] | None = None,
    on_stop: Callable[[], None] | None = None,
) -> Ending:
    """Train a diffusion model, or go on with a run; on as many devices as accelerate launched.

    A first Ctrl-C or SIGTERM lets the step end, or the batch of samples that a snapshot is measured
    by, saves and returns; what was not measured is measured by whoever resumes the run.

    Args:
        data: the training images.
        folder: the run's (see `runs`); a new one unless `resume`.
        settings: of the run; the network's classes are set here from `labels`.
        resume: go on from the checkpoint. On a CPU the result is that of an uninterrupted run, bit
            for bit.
        device: "auto" takes what accelerate finds.
        progress: told how many steps are done, and how many samples of a snapshot are drawn.
        stop_after: save and return after so many steps in all.
        source: where the images came from and how they were chosen, kept in the run's settings for
            whoever resumes it.
        on_stop: called at the first Ctrl-C or SIGTERM, to say that it was heard.

    Raises:
        InputError: images that do not fit the network, or all the same, other images than the run
            began with, a checkpoint that cannot be used, or a loss that is no number
            (DivergedError).
        UsageError: a run that is there already, other settings than the run began with, a disk
            that is full.
    """
    folder = Path(folder)
    labels, classes = training_labels(settings, data)
    settings = replace(settings, network=replace(settings.network, classes=classes))
    check_images(data, settings)
    checkpoint = checkpoint_of(folder, settings, data, resume=resume)
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        training = Training(data, labels, settings, make_accelerator(settings, device))
        if checkpoint is not None:
            training.load(checkpoint)
        if training.main and checkpoint is None:
            prepare_folder(folder, settings, data, source or {})
        loop = _Loop(training, folder, progress, stop_after, on_stop)
        return loop.go(resumed=checkpoint is not None)


class _Loop:
    """Steps one after the other, and what is due after each."""

    def __init__(
        self,
        training: Training,
        folder: Path,
        progress: Progress | None,
        stop_after: int | None,
        on_stop: Callable[[], None] | None,
    ) -> None:
        self.training, self.folder = training, folder
        self.progress = progress if training.main else None
        self.on_stop = on_stop if training.main else None
        settings, images = training.settings, len(training.data)
        self.total = settings.total_steps(images)
        self.due = set(settings.snapshot_steps(images))
        self.stop_after = self.total if stop_after is None else min(stop_after, self.total)
        state = training.state or {"loss": 0.0, "losses": 0}
        self.loss = torch.tensor(state["loss"], dtype=torch.float64, device=training.device)
        self.losses = int(state["losses"])
        self.saved: int | None = training.step if training.state else None
        self.log: RunLog | None = None

    def go(self, *, resumed: bool) -> Ending:
        training = self.training
        if training.main:
            at = training.step if resumed else None
            self.log = RunLog(self.folder / run_folder.LOG, resumed_at=at)
        clock, measured = time.monotonic(), True
        if self.progress:
            self.progress("training", training.step, self.total)
        with asked_to_stop(self.on_stop) as asked:
            if resumed:  # stopped before the last snapshot was measured, or a ratio was lost
                measured = self._measure(asked)
            while measured and training.step < self.stop_after:
                self.loss += training.take_step()
                self.losses += 1
                if self.progress:
                    self.progress("training", training.step, self.total)
                ended = self._anywhere(asked())
                stopping = ended or training.step == self.stop_after
                if training.step % LOG_STEPS == 0 or training.step == self.total:
                    self._write_loss()
                snapshot = training.step in self.due
                if snapshot:
                    self._snapshot()
                if snapshot or stopping or time.monotonic() - clock > CHECKPOINT_SECONDS:
                    self._save()
                    clock = time.monotonic()
                if snapshot and training.settings.samples:
                    measured = not ended and self._measure(asked)
                if ended:
                    break
            interrupted = training.step < self.total or not measured
            return Ending(
                training.step,
                interrupted=interrupted,
                asked=asked(),
                main=training.main,
                processes=training.accelerator.num_processes,
            )

    def _anywhere(self, here: bool) -> bool:
        """Whether any process was asked to stop: all end after the same step."""
        accelerator = self.training.accelerator
        if accelerator.num_processes == 1:
            return here
        flag = torch.tensor([float(here)], device=self.training.device)
        total = accelerator.reduce(flag, reduction="sum")
        return isinstance(total, torch.Tensor) and bool(total.item())

    def _mean_loss(self) -> float:
        """Of the steps since the last line of the log.

        Raises:
            DivergedError: it is no number.
        """
        mean = float(self.loss) / max(1, self.losses)
        if not math.isfinite(mean):
            kept = (
                f"the last good checkpoint, after {self.saved:,} steps, is in {self.folder}"
                if self.saved
                else "there was no checkpoint yet"
            )
            raise DivergedError(
                f"the loss became {mean} within the last {self.losses:,} steps before step "
                f"{self.training.step:,}; {kept}. Use a lower learning rate, a longer warm-up, or "
                "full precision."
            )
        return mean

    def _write_loss(self) -> None:
        mean, step, images = self._mean_loss(), self.training.step, len(self.training.data)
        if self.log is not None:
            rate = self.training.settings.learning_rate_at(step - 1, images)
            self.log.write(step, loss=mean, learning_rate=rate)
        self.loss.zero_()
        self.losses = 0

    def _snapshot(self) -> None:
        training = self.training
        self._mean_loss()
        if not training.main:
            return
        step = training.step
        save_checkpoint(
            run_folder.snapshot_file(self.folder, step),
            kind=f"{run_folder.KIND} snapshot",
            tensors=module_tensors("ema", training.ema.module),
            state={"step": step},
        )

    def _measure(self, asked: Callable[[], bool]) -> bool:
        """Log the ratios of the snapshots that have none; whether all are there, in all processes.

        As a rule that is the one just kept.
        """
        done = True
        if self.log is not None:
            try:
                for step in self._not_measured():
                    self._log_ratio(self.log, step, asked)
            except _AskedError:
                done = False
        return not self._anywhere(not done)

    def _not_measured(self) -> list[int]:
        """Steps of the snapshots that are there and not measured."""
        if not self.training.settings.samples:
            return []
        kept = {step for step in run_folder.snapshots(self.folder) if step <= self.training.step}
        return sorted(kept - run_folder.ratios(self.folder).keys())

    def _log_ratio(self, log: RunLog, step: int, asked: Callable[[], bool]) -> None:
        training = self.training
        denoiser = training.ema.module
        if step != training.step:
            denoiser = run_folder.load_run(self.folder, step=step, device=training.device).denoiser

        def progress(stage: str, done: int, total: int | None) -> None:
            if self.progress:
                self.progress(f"{stage} after {step:,} steps", done, total)
            if asked() and done != total:
                raise _AskedError

        found = run_folder.memorized(
            denoiser,  # pyright: ignore[reportArgumentType]
            training.data,
            samples=training.settings.samples,
            classes=training.settings.network.classes,
            seed=training.settings.seed,
            device=training.device,
            progress=progress,
        )
        log.write(step, memorization_ratio=found.to_dict())

    def _save(self) -> None:
        self._mean_loss()
        if self.training.main:
            state: dict[str, Json] = {"loss": float(self.loss), "losses": self.losses}
            self.training.save(self.folder / run_folder.CHECKPOINT, state)
        self.saved = self.training.step
