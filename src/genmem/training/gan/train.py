"""`train`: a GAN training from its configuration to its last step, and all that it writes.

RUN/config.json               the configuration
RUN/log.jsonl                 losses, rejection and evaluations, a JSON object a line
RUN/checkpoint.safetensors    the last good state
RUN/samples/step-0001000.png  grids of images from the same noise, the classes in turn
RUN/curves.png                the log, drawn
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Collection
from pathlib import Path
from typing import Any

from genmem.errors import UsageError
from genmem.formatting import capitalize
from genmem.images import Progress
from genmem.io.atomic import check_folder_writable
from genmem.io.paths import to_path
from genmem.training.common.checkpoint import CHECKPOINT_FILE, Checkpoint
from genmem.training.common.config import Device
from genmem.training.common.distributed import build_accelerator, in_any_process
from genmem.training.common.run_folder import (
    CONFIG_FILE,
    DivergedError,
    TrainResult,
    check_new_run,
    checkpoint_note,
    create_run_folder,
    no_run_error,
    write_config,
)
from genmem.training.common.run_log import LOG_FILE, RunLog, read_log
from genmem.training.common.signals import stop_signals
from genmem.training.gan import plots
from genmem.training.gan.build import (
    build_evaluator,
    build_rejection,
    check_backbones,
    held_out_images,
    training_images,
)
from genmem.training.gan.config import GanConfig
from genmem.training.gan.evaluation import Evaluator
from genmem.training.gan.sampling import balanced_labels, generate, write_grid
from genmem.training.gan.trainer import SAMPLES_STREAM, GanTrainer, load_gan
from genmem.training.rejection.rejection import RejectsEverythingError

Notify = Callable[[str], None]
"""Called with a sentence for the user: a note on the images, that an interrupt was received."""

GRID = 100
"""Images in a grid of samples."""

SAMPLES, EVALUATION = "samples", "evaluation"
"""What is due at intervals beside steps, log lines and checkpoints."""


def train(
    config: GanConfig,
    out: str | Path,
    *,
    resume: bool = False,
    device: Device = "auto",
    progress: Progress | None = None,
    stop: Callable[[int], bool] | None = None,
    notify: Notify | None = None,
) -> TrainResult:
    """Train a GAN, with or without memorization rejection, or resume a run.

    A first SIGINT (Ctrl-C) or SIGTERM lets the step end, saves and returns. A resumed run first
    draws and evaluates what was due at its checkpoint's step and is missing.

    Args:
        config: of the run.
        out: the run's folder; a new one unless `resume`.
        resume: continue from the run's checkpoint, in as many processes as before. On a CPU the
            result is that of an uninterrupted run, to the bit.
        device: "auto" takes what accelerate finds; processes are those that accelerate launched.
        progress: called at every stage.
        stop: called with each step; True saves and ends there.
        notify: called with notes on the images, and when an interrupt was received.

    Raises:
        InputError: images that cannot be used; a checkpoint of another version.
        UsageError: a configuration that cannot be trained, a run that exists already, a checkpoint
            of another model, a τ that rejects everything (RejectsEverythingError), a loss that
            is not finite (DivergedError), a full disk. The last checkpoint stays whole.
        WeightsError: a backbone's weights are missing.

    Example:
        >>> config = GanConfig(model="sagan", train="cifar10/train.zip", tau="auto")
        >>> train(config, "run")  # doctest: +SKIP
        TrainResult(step=100000, interrupted=False, ...)
    """
    folder = to_path(out, name="out")
    trainer, evaluator = setup(
        config, folder, resume=resume, device=device, progress=progress, notify=notify
    )
    accelerator, main = trainer.accelerator, trainer.accelerator.is_main_process
    missing = missing_outputs(folder, config, trainer.step_count) if resume else set[str]()
    accelerator.wait_for_everyone()
    log = _open_log(folder, config, resumed_at=trainer.step_count or None) if main else None
    loop = _TrainingLoop(
        trainer,
        folder,
        log=log,
        evaluator=evaluator,
        progress=progress if main else None,
        stop=stop,
        notify=notify if main else None,
    )
    result = loop.run(missing)
    accelerator.wait_for_everyone()  # what the main process wrote is there when any returns
    return result


def _open_log(folder: Path, config: GanConfig, *, resumed_at: int | None) -> RunLog:
    """The log of a run in its folder, which is made, with the configuration in it."""
    create_run_folder(folder, "samples")
    write_config(folder, config)
    return RunLog(folder / LOG_FILE, resumed_at=resumed_at)


def setup(
    config: GanConfig,
    folder: Path,
    *,
    resume: bool,
    device: Device,
    progress: Progress | None,
    notify: Notify | None,
) -> tuple[GanTrainer, Evaluator | None]:
    """A trainer ready for its next step, and in the main process its evaluator, if there is one.

    What is cheap to check is checked before images are embedded. Arguments are those of `train`.

    Raises:
        InputError, UsageError, WeightsError: see `train`.
    """
    checkpoint = None
    if resume:
        checkpoint = _load_checkpoint(folder, config)
    else:
        check_new_run(folder)
    accelerator = build_accelerator(
        device=device, precision=config.precision, batch_size=config.batch_size
    )
    main = accelerator.is_main_process
    progress = progress if main else None
    check_backbones(config)
    data = training_images(config, progress)
    if main and notify is not None:
        for note in data.notes:
            notify(note)
    trainer = GanTrainer(config, data, accelerator, None)
    if checkpoint is not None:
        trainer.load(checkpoint)
    del checkpoint
    test = held_out_images(config, data, progress) if main else None
    trainer.set_rejection(build_rejection(config, data, accelerator, progress))
    evaluator = build_evaluator(config, data, test, accelerator, progress) if main else None
    return trainer, evaluator


def _load_checkpoint(folder: Path, config: GanConfig) -> Checkpoint | None:
    """The checkpoint to resume from; None for a run that was stopped before its first one.

    Raises:
        InputError: there is no run, or its checkpoint cannot be used.
        UsageError: the folder cannot be written, or nothing is left to do.
    """
    if not (folder / CONFIG_FILE).is_file():
        raise no_run_error(folder)
    check_folder_writable(folder)
    if not (folder / CHECKPOINT_FILE).is_file():
        return None
    checkpoint = load_gan(folder / CHECKPOINT_FILE)
    step = int(checkpoint.state["step"])
    if step > config.steps or (step == config.steps and not missing_outputs(folder, config, step)):
        raise UsageError(
            f"{folder}: the run is at step {step:,} of {config.steps:,} already. Give more --steps "
            "to train on."
        )
    return checkpoint


def is_due(every: int, step: int, config: GanConfig) -> bool:
    """Whether something is due after `step`: every so many steps (0: never), and at the end."""
    return every > 0 and (step == config.steps or step % every == 0)


def samples_file(folder: Path, step: int) -> Path:
    """Where the grid of samples after so many steps is."""
    return folder / "samples" / f"step-{step:07d}.png"


def missing_outputs(folder: Path, config: GanConfig, step: int) -> set[str]:
    """What was due at a checkpoint's step and is missing: `SAMPLES`, `EVALUATION`.

    A run that ends between its checkpoint and these, at a signal or killed, leaves them missing.
    """
    if step < 1:
        return set()
    missing: set[str] = set()
    if is_due(config.sample_every, step, config) and not samples_file(folder, step).is_file():
        missing.add(SAMPLES)
    if config.evaluates and is_due(config.evaluate_every, step, config):
        lines = read_log(folder / LOG_FILE)
        if not any(line["step"] == step and EVALUATION in line for line in lines):
            missing.add(EVALUATION)
    return missing


class _TrainingLoop:
    """The loop over steps, and what happens at intervals."""

    def __init__(
        self,
        trainer: GanTrainer,
        folder: Path,
        *,
        log: RunLog | None,
        evaluator: Evaluator | None,
        progress: Progress | None,
        stop: Callable[[int], bool] | None,
        notify: Notify | None,
    ) -> None:
        self.trainer, self.config = trainer, trainer.config
        self.folder, self.log, self.evaluator = folder, log, evaluator
        self.progress, self.stop, self.notify = progress, stop, notify
        self.main = trainer.accelerator.is_main_process
        self.saved: int | None = trainer.step_count or None
        self.sums: dict[str, float] = {}
        self.steps_summed = 0
        self.clock = time.perf_counter()

    def run(self, missing: Collection[str] = ()) -> TrainResult:
        """Write what is missing, then train to the last step, or until asked to stop."""
        trainer, config = self.trainer, self.config
        stage = f"training {config.model}"
        if self.progress:
            self.progress(stage, trainer.step_count, config.steps)
        with stop_signals(self._notify_of_stop) as stop_requested:
            if self.main and missing:
                self._write_outputs(trainer.step_count, {}, set(missing))
            while trainer.step_count < config.steps:
                losses = self._step()
                step = trainer.step_count
                self._check_finite(losses, step)
                line = self._log_line(losses, step)
                here = stop_requested() or (self.stop is not None and self.stop(step))
                stopping = in_any_process(trainer.accelerator, here)
                self._after_step(step, line, stopping=stopping)
                if self.progress:
                    self.progress(stage, step, config.steps)
                if stopping:
                    left = step < config.steps or missing_outputs(self.folder, config, step)
                    return self._result(interrupted=bool(left), stop_requested=True)
        return self._result()

    def _result(self, *, interrupted: bool = False, stop_requested: bool = False) -> TrainResult:
        return TrainResult(
            step=self.trainer.step_count,
            interrupted=interrupted,
            stop_requested=stop_requested,
            main=self.main,
            processes=self.trainer.accelerator.num_processes,
        )

    def _notify_of_stop(self) -> None:
        if self.notify is not None:
            self.notify(
                "stopping after this step, or after the evaluation that is under way. Press "
                "Ctrl-C again to quit now."
            )

    def _step(self) -> dict[str, float]:
        """One step; a τ that rejects everything is explained in terms of the command."""
        try:
            return self.trainer.step()
        except RejectsEverythingError as error:
            lower = (
                "with --tau as a lower number than auto took"
                if self.config.tau == "auto"
                else "with a lower --tau (auto takes the training images' mean leave-one-out "
                "distance)"
            )
            note = capitalize(checkpoint_note(self.folder, self.saved))
            raise RejectsEverythingError(
                error.event,
                f"{note}. Start another run {lower}, or with a --warm-up: a run that is resumed "
                "keeps its tau.",
            ) from error

    def _check_finite(self, losses: dict[str, float], step: int) -> None:
        for name, value in losses.items():
            if not math.isfinite(value):
                raise self._diverged(f"{name.replace('_', ' ')} became {value}", step)

    def _diverged(self, event: str, step: int) -> DivergedError:
        full = "" if self.config.precision == "full" else "with --precision full, or "
        return DivergedError(
            f"the {event} at step {step:,}; {checkpoint_note(self.folder, self.saved)}. Start "
            f"another run, {full}with a lower --learning-rate: a run that is resumed keeps its "
            "configuration."
        )

    def _log_line(self, losses: dict[str, float], step: int) -> dict[str, Any]:
        """Means since the last line of the log where one is due; all processes must call this."""
        if self.config.log_every == 0:
            return {}
        for name, value in losses.items():
            self.sums[name] = self.sums.get(name, 0.0) + value
        self.steps_summed += 1
        if not is_due(self.config.log_every, step, self.config):
            return {}
        now, count = time.perf_counter(), self.steps_summed
        line: dict[str, Any] = {name: value / count for name, value in self.sums.items()}
        line["seconds_per_step"] = (now - self.clock) / count
        statistics = self.trainer.pop_statistics()
        if statistics is not None:
            line["rejection"] = statistics.to_dict()
        self.sums, self.steps_summed, self.clock = {}, 0, now
        return line

    def _after_step(self, step: int, line: dict[str, Any], *, stopping: bool) -> None:
        """Save, log, draw and evaluate what is due. When stopping, only save and log."""
        config = self.config
        if stopping or step == config.steps or is_due(config.save_every, step, config):
            if not self.trainer.is_finite():
                raise self._diverged("weights are not finite", step)
            if self.main:
                self.trainer.save(self.folder / CHECKPOINT_FILE)
            self.saved = step
        due: set[str] = set()
        if is_due(config.sample_every, step, config) and not stopping:
            due.add(SAMPLES)
        if is_due(config.evaluate_every, step, config) and not stopping:
            due.add(EVALUATION)
        if self.main:
            self._write_outputs(step, line, due)

    def _write_outputs(self, step: int, line: dict[str, Any], due: Collection[str]) -> None:
        """Draw and evaluate what is due, and log it with the rest of the line.

        None of its time counts as the steps'.
        """
        began, logged = time.perf_counter(), bool(line)
        if SAMPLES in due:
            self._write_grid(step)
        if self.evaluator and EVALUATION in due:
            line[EVALUATION] = self.evaluator(self.trainer.average, self._evaluation_progress(step))
        if line and self.log is not None:
            self.log.write(step, **line)
        if EVALUATION in line or (logged and step == self.config.steps):
            title = f"{self.config.model}, tau {self.config.tau}, {self.folder.name}"
            lines = read_log(self.folder / LOG_FILE)
            plots.write_curves(lines, self.folder / plots.FILE, title=title)
        self.clock += time.perf_counter() - began

    def _evaluation_progress(self, step: int) -> Progress | None:
        """The progress of one evaluation, under a name of its own."""
        progress = self.progress
        if progress is None:
            return None

        def show(stage: str, done: int, total: int | None) -> None:
            if stage.startswith("features"):
                progress(f"evaluating at step {step:,}", done, total)

        return show

    def _write_grid(self, step: int) -> None:
        labels = balanced_labels(GRID, self.trainer.classes)
        seed = (self.config.seed, SAMPLES_STREAM)
        pixels = generate(self.trainer.average, labels, z_dim=self.config.z_dim, seed=seed)
        write_grid(pixels, samples_file(self.folder, step))
