"""`train`: a diffusion training from its configuration to its last step, and what it writes.

Interrupted anywhere, a run resumes exactly (see `trainer`).
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import torch

from genmem.errors import InputError, UsageError
from genmem.formatting import count
from genmem.images import Progress
from genmem.io.paths import to_path
from genmem.results import Json
from genmem.training.common.checkpoint import (
    CHECKPOINT_FILE,
    Checkpoint,
    load_checkpoint,
    module_tensors,
    save_checkpoint,
)
from genmem.training.common.config import Device
from genmem.training.common.dataset import TrainingImages
from genmem.training.common.distributed import build_accelerator, in_any_process
from genmem.training.common.run_folder import (
    CONFIG_FILE,
    DivergedError,
    TrainResult,
    check_new_run,
    checkpoint_note,
    create_run_folder,
    write_config,
)
from genmem.training.common.run_log import LOG_FILE, RunLog
from genmem.training.common.signals import stop_signals
from genmem.training.diffusion import run_folder
from genmem.training.diffusion.config import DiffusionConfig, differing_fields
from genmem.training.diffusion.labels import training_labels
from genmem.training.diffusion.learning_rate import learning_rate_at
from genmem.training.diffusion.sampler import Sampling
from genmem.training.diffusion.trainer import DiffusionTrainer

CHECKPOINT_SECONDS = 300.0
"""Longest time between checkpoints."""

LOG_STEPS = 50
"""Steps between log lines, and between checks that the loss is finite."""

RUN_FILES = (CHECKPOINT_FILE, CONFIG_FILE)
"""Files that show that a run has begun in a folder."""


class _StopRequestedError(Exception):
    """The evaluation of a snapshot was asked to stop."""


def train(
    data: TrainingImages,
    folder: str | Path,
    config: DiffusionConfig,
    *,
    resume: bool = False,
    device: Device = "auto",
    progress: Progress | None = None,
    stop_after: int | None = None,
    source: Mapping[str, Json] | None = None,
    on_stop: Callable[[], None] | None = None,
) -> TrainResult:
    """Train a diffusion model, or resume a run; on as many devices as accelerate launched.

    A first Ctrl-C or SIGTERM lets the step end, or the batch of samples that a snapshot is
    evaluated by, saves and returns. Snapshots without a memorization ratio get it when the run is
    resumed.

    Args:
        data: the training images.
        folder: the run's (see `run_folder`); a new one unless `resume`.
        config: of the run; the network's classes are set here from `labels`.
        resume: continue from the checkpoint. On a CPU the result is that of an uninterrupted run,
            to the bit.
        device: "auto" takes what accelerate finds.
        progress: called with the number of steps done, and of samples of a snapshot drawn.
        stop_after: save and return after so many steps in total.
        source: how the images were loaded (`ImageSelection.to_dict()`), kept in dataset.json for
            whoever resumes the run.
        on_stop: called at the first Ctrl-C or SIGTERM.

    Raises:
        InputError: images that do not fit the network, or all the same; other images than the run
            began with; a checkpoint that cannot be used.
        UsageError: a run that exists already, another configuration than the run began with, a
            loss that is not finite (DivergedError), a full disk.
    """
    folder = to_path(folder, name="folder")
    labels, classes = training_labels(config.labels, data, seed=config.seed)
    config = config.replace(network=config.network.replace(classes=classes))
    check_images(data, config)
    if resume:
        checkpoint = _load_checkpoint(folder, config, data)
    else:
        checkpoint = None
        check_new_run(folder, files=RUN_FILES)
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        accelerator = build_accelerator(
            device=device, precision=config.precision, batch_size=config.batch_size
        )
        trainer = DiffusionTrainer(data, labels, config, accelerator)
        if checkpoint is not None:
            trainer.load(checkpoint)
        elif trainer.main:
            create_run_folder(folder, run_folder.SNAPSHOTS)
            run_folder.write_dataset_record(folder, run_folder.DatasetRecord.of(data, source or {}))
            write_config(folder, config)
        loop = _TrainingLoop(trainer, folder, progress, stop_after, on_stop)
        return loop.run(resumed=checkpoint is not None)


def check_images(data: TrainingImages, config: DiffusionConfig) -> None:
    """Refuse images that cannot be trained on, or not be evaluated at the first snapshot.

    Raises:
        InputError: another shape than the network takes, or fewer than two different images
            though snapshots are to be evaluated: d1/d2 needs two.
    """
    expected = config.network.image_shape
    if tuple(data.pixels.shape[1:]) != expected:
        raise InputError(
            f"{data.name}: expected images of shape {list(expected)} (channels, height, width), as "
            f"the network takes, got {list(data.pixels.shape[1:])}."
        )
    if config.samples and all(np.array_equal(data.pixels[0], image) for image in data.pixels[1:]):
        raise InputError(
            f"{data.name}: expected at least two different images, got {count(len(data), 'image')} "
            "with the same pixels: snapshots are evaluated by the distances to the two nearest. "
            "Give more images, or ask for samples of 0."
        )


def _load_checkpoint(
    folder: Path, config: DiffusionConfig, data: TrainingImages
) -> Checkpoint | None:
    """The checkpoint to resume from; None for a run that was stopped before its first one.

    Raises:
        InputError: other images than the run began with, or a checkpoint that cannot be used.
        UsageError: another configuration than the run began with.
    """
    other = differing_fields(config, run_folder.read_run_config(folder))
    record = run_folder.read_dataset_record(folder)
    if other:
        raise UsageError(
            f"{folder}: the run began with another {', '.join(other)}. Resume it with the "
            f"configuration in its {CONFIG_FILE}, or start another run."
        )
    if record.digest != data.digest:
        raise InputError(
            f"{folder}: the run began with other training images ({record.name}, "
            f"{record.count:,} images). Give the same images to resume it."
        )
    if not (folder / CHECKPOINT_FILE).is_file():
        return None
    return load_checkpoint(folder / CHECKPOINT_FILE, kind=run_folder.KIND)


class _TrainingLoop:
    """The loop over steps, and what is due after each."""

    def __init__(
        self,
        trainer: DiffusionTrainer,
        folder: Path,
        progress: Progress | None,
        stop_after: int | None,
        on_stop: Callable[[], None] | None,
    ) -> None:
        self.trainer, self.folder = trainer, folder
        self.progress = progress if trainer.main else None
        self.on_stop = on_stop if trainer.main else None
        config, images = trainer.config, len(trainer.data)
        self.total = config.total_steps(images)
        self.snapshot_steps = set(config.snapshot_steps(images))
        self.stop_after = self.total if stop_after is None else min(stop_after, self.total)
        state = trainer.saved_state or {"loss": 0.0, "losses": 0}
        self.loss = torch.tensor(state["loss"], dtype=torch.float64, device=trainer.device)
        self.losses = int(state["losses"])
        self.saved: int | None = trainer.step_count if trainer.saved_state else None
        self.log: RunLog | None = None

    def run(self, *, resumed: bool) -> TrainResult:
        """Evaluate what is missing, then train to the last step, or until asked to stop."""
        trainer = self.trainer
        if trainer.main:
            resumed_at = trainer.step_count if resumed else None
            self.log = RunLog(self.folder / LOG_FILE, resumed_at=resumed_at)
        clock, evaluated = time.monotonic(), True
        if self.progress:
            self.progress("training", trainer.step_count, self.total)
        with stop_signals(self.on_stop) as stop_requested:
            if resumed:  # stopped before the last snapshot was evaluated, or a ratio was lost
                evaluated = self._evaluate_snapshots(stop_requested)
            while evaluated and trainer.step_count < self.stop_after:
                self._step()
                ended = in_any_process(trainer.accelerator, stop_requested())
                stopping = ended or trainer.step_count == self.stop_after
                snapshot = trainer.step_count in self.snapshot_steps
                if snapshot:
                    self._save_snapshot()
                if snapshot or stopping or time.monotonic() - clock > CHECKPOINT_SECONDS:
                    self._save_checkpoint()
                    clock = time.monotonic()
                if snapshot and trainer.config.samples:
                    evaluated = not ended and self._evaluate_snapshots(stop_requested)
                if ended:
                    break
            return TrainResult(
                step=trainer.step_count,
                interrupted=trainer.step_count < self.total or not evaluated,
                stop_requested=stop_requested(),
                main=trainer.main,
                processes=trainer.accelerator.num_processes,
            )

    def _step(self) -> None:
        """One step, its progress, and its line of the log where one is due."""
        trainer = self.trainer
        self.loss += trainer.step()
        self.losses += 1
        if self.progress:
            self.progress("training", trainer.step_count, self.total)
        if trainer.step_count % LOG_STEPS == 0 or trainer.step_count == self.total:
            self._log_loss()

    def _mean_loss(self) -> float:
        """Mean loss of the steps since the last line of the log.

        Raises:
            DivergedError: it is not finite.
        """
        mean = float(self.loss) / max(1, self.losses)
        if not math.isfinite(mean):
            raise DivergedError(
                f"the loss became {mean} within the last {self.losses:,} steps before step "
                f"{self.trainer.step_count:,}; {checkpoint_note(self.folder, self.saved)}. Use a "
                "lower learning rate, a longer warm-up, or full precision."
            )
        return mean

    def _log_loss(self) -> None:
        mean, step, images = self._mean_loss(), self.trainer.step_count, len(self.trainer.data)
        if self.log is not None:
            rate = learning_rate_at(self.trainer.config, step - 1, images)
            self.log.write(step, loss=mean, learning_rate=rate)
        self.loss.zero_()
        self.losses = 0

    def _save_snapshot(self) -> None:
        trainer = self.trainer
        self._mean_loss()
        if not trainer.main:
            return
        save_checkpoint(
            run_folder.snapshot_file(self.folder, trainer.step_count),
            kind=run_folder.SNAPSHOT_KIND,
            tensors=module_tensors("ema", trainer.ema.module),
            state={"step": trainer.step_count},
        )

    def _save_checkpoint(self) -> None:
        self._mean_loss()
        if self.trainer.main:
            state: dict[str, Json] = {"loss": float(self.loss), "losses": self.losses}
            self.trainer.save(self.folder / CHECKPOINT_FILE, state)
        self.saved = self.trainer.step_count

    def _evaluate_snapshots(self, stop_requested: Callable[[], bool]) -> bool:
        """Log the ratios of the snapshots that have none; whether all are there, in all processes.

        As a rule that is the snapshot that was just saved.
        """
        done = True
        if self.log is not None:
            try:
                for step in self._snapshots_without_ratio():
                    self._log_ratio(self.log, step, stop_requested)
            except _StopRequestedError:
                done = False
        return not in_any_process(self.trainer.accelerator, not done)

    def _snapshots_without_ratio(self) -> list[int]:
        trainer = self.trainer
        if not trainer.config.samples:
            return []
        saved = {step for step in run_folder.snapshots(self.folder) if step <= trainer.step_count}
        return sorted(saved - run_folder.memorization_ratios(self.folder).keys())

    def _log_ratio(self, log: RunLog, step: int, stop_requested: Callable[[], bool]) -> None:
        trainer = self.trainer
        denoiser = trainer.ema.module
        if step != trainer.step_count:
            denoiser = run_folder.load_run(self.folder, step=step, device=trainer.device).denoiser

        def progress(stage: str, done: int, total: int | None) -> None:
            if self.progress:
                self.progress(f"{stage} after {step:,} steps", done, total)
            if stop_requested() and done != total:
                raise _StopRequestedError

        ratio = run_folder.measure_memorization(
            denoiser,  # pyright: ignore[reportArgumentType]
            trainer.data,
            samples=trainer.config.samples,
            sampling=Sampling(
                classes=trainer.config.network.classes,
                seed=trainer.config.seed,
                device=trainer.device,
                progress=progress,
            ),
        )
        log.write(step, memorization_ratio=ratio.to_dict())
