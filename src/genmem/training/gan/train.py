"""`train`: a run from its settings to its last step, with everything it writes on the way.

RUN/config.json               the settings; --config takes it, --resume goes on by it
RUN/log.jsonl                 a JSON object a line: losses, rejection, what was measured
RUN/checkpoint.safetensors    the last good state
RUN/samples/step-0001000.png  grids of the same noise, a column a class in turn
RUN/curves.png                the log, drawn
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from genmem.errors import InputError, UsageError
from genmem.formatting import capitalize
from genmem.images import Progress
from genmem.io.atomic import atomic_write, check_folder_writable
from genmem.training.common import run_log
from genmem.training.common.checkpoint import CHECKPOINT_FILE, Checkpoint
from genmem.training.common.run_log import RunLog, read_log
from genmem.training.common.signals import asked_to_stop
from genmem.training.gan import plots
from genmem.training.gan.build import (
    Device,
    check_backbones,
    held_out_images,
    make_accelerator,
    make_measuring,
    make_rejection,
    training_images,
)
from genmem.training.gan.config import Settings
from genmem.training.gan.evaluation import Measuring
from genmem.training.gan.sampling import even_labels, generated, write_grid
from genmem.training.gan.trainer import SAMPLES, Training, load_gan
from genmem.training.rejection.rejection import RejectsEverythingError

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
    checkpoint = load_gan(folder / CHECKPOINT_FILE) if resume else None
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
    there = (folder / CHECKPOINT_FILE).is_file()
    if resume and not there:
        raise InputError(f"{folder}: there is no {CHECKPOINT_FILE} to resume from.")
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
        lines = read_log(folder / run_log.FILE)
        if not any(line["step"] == step and "measured" in line for line in lines):
            undone.add("measured")
    return undone


CONFIG = "config.json"
GRID = 100


class NotFiniteError(UsageError):
    """A loss or a weight is no number any more; the last good checkpoint was kept."""


@dataclass(frozen=True)
class Ending:
    """How a run ended: at which step, whether because it was asked to stop, and who is to say so.

    `main` is False in all processes but the first of `processes`.
    """

    step: int
    interrupted: bool
    main: bool = True
    processes: int = 1


def train(
    settings: Settings,
    out: str | Path,
    *,
    resume: bool = False,
    device: Device = "auto",
    progress: Progress | None = None,
    stop: Callable[[int], bool] | None = None,
    tell: Tell | None = None,
) -> Ending:
    """Train a GAN, with or without memorization rejection, or go on with a run.

    A first SIGINT (Ctrl-C) or SIGTERM lets the step end, saves and returns. A run that goes on
    first draws and measures what was due at its checkpoint's step and was left undone.

    Args:
        settings: from `make_settings`.
        out: the run's folder; a new one unless `resume`.
        resume: go on from the run's checkpoint, in as many processes as before.
        device: "auto" takes what accelerate finds; processes are those accelerate launched.
        progress: told about every stage.
        stop: asked after each step whether to save and end there.
        tell: told what whoever trains must know: of the images, and that an interrupt was heard.

    Raises:
        InputError: images that cannot be used; a checkpoint of another version.
        UsageError: settings that do not go together, a run that is there already, a checkpoint of
            another model, a τ that rejects everything (RejectsEverythingError), a loss that is no
            number (NotFiniteError), a disk that is full. The last checkpoint stays whole.
        WeightsError: a backbone's weights are missing.
    """
    folder = Path(out)
    training, measuring = begin(
        settings, folder, resume=resume, device=device, progress=progress, tell=tell
    )
    accelerator, main = training.accelerator, training.accelerator.is_main_process
    undone = left_undone(folder, settings, training.step_count) if resume else set[str]()
    accelerator.wait_for_everyone()
    log = _prepare(folder, settings, training.step_count) if main else None
    shown, told = (progress, tell) if main else (None, None)
    ending = _Run(training, folder, log, measuring, shown, stop, told).go(undone)
    accelerator.wait_for_everyone()  # what the main process wrote is there when any returns
    return ending


def _prepare(folder: Path, settings: Settings, step: int) -> RunLog:
    """Make the run's folder, write its configuration, begin its log or cut it at the checkpoint."""
    try:
        (folder / "samples").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"cannot make {folder}: {(error.strerror or '').lower()}") from error
    with atomic_write(folder / CONFIG) as file:
        file.write((json.dumps(settings.to_dict(), indent=2) + "\n").encode())
    return RunLog(folder / run_log.FILE, resumed_at=step or None)


class _Run:
    """The loop over steps, and what happens at intervals."""

    def __init__(
        self,
        training: Training,
        folder: Path,
        log: RunLog | None,
        measuring: Measuring | None,
        progress: Progress | None,
        stop: Callable[[int], bool] | None,
        tell: Tell | None,
    ) -> None:
        self.training, self.settings = training, training.settings
        self.folder, self.log, self.measuring = folder, log, measuring
        self.progress, self.stop, self.tell = progress, stop, tell
        self.main = training.accelerator.is_main_process
        self.saved: int | None = training.step_count or None
        self.sums: dict[str, float] = {}
        self.steps_summed = 0
        self.clock = time.perf_counter()

    def go(self, undone: Collection[str] = ()) -> Ending:
        """Do what was left undone, then train to the last step, or until asked to stop."""
        training, settings = self.training, self.settings
        stage = f"training {settings.model}"
        if self.progress:
            self.progress(stage, training.step_count, settings.steps)
        with asked_to_stop(self._say_that_it_stops) as asked:
            if self.main and undone:
                self._at_intervals(training.step_count, {}, set(undone))
            while training.step_count < settings.steps:
                losses = self._step()
                step = training.step_count
                self._check(losses, step)
                line = self._line(losses, step)
                here = asked() or (self.stop is not None and self.stop(step))
                stopping = training.anywhere(here)
                self._after(step, line, stopping=stopping)
                if self.progress:
                    self.progress(stage, step, settings.steps)
                if stopping:
                    undone = left_undone(self.folder, settings, step)
                    return self._ending(interrupted=step < settings.steps or bool(undone))
        return self._ending(interrupted=False)

    def _ending(self, *, interrupted: bool) -> Ending:
        processes = self.training.accelerator.num_processes
        return Ending(self.training.step_count, interrupted, self.main, processes)

    def _say_that_it_stops(self) -> None:
        if self.tell is not None:
            self.tell(
                "stopping when this step, and the measurement where one is under way, is done; a "
                "second time stops at once."
            )

    def _step(self) -> dict[str, float]:
        """One step; a τ that lets nothing pass is told in the words of the command."""
        try:
            return self.training.step()
        except RejectsEverythingError as error:
            lower = (
                "with --tau as a lower number than auto took"
                if self.settings.tau == "auto"
                else "with a lower --tau (auto takes the training images' mean leave-one-out "
                "distance)"
            )
            raise RejectsEverythingError(
                error.what,
                f"{capitalize(self._kept())}. Start another run {lower}, or with a --warm-up: a "
                "run that is resumed keeps its tau.",
            ) from error

    def _kept(self) -> str:
        if self.saved:
            return f"the last good checkpoint, of step {self.saved:,}, is in {self.folder}"
        return "there was no checkpoint yet"

    def _check(self, losses: dict[str, float], step: int) -> None:
        for name, value in losses.items():
            if not math.isfinite(value):
                raise self._not_finite(f"{name.replace('_', ' ')} became {value}", step)

    def _not_finite(self, what: str, step: int) -> NotFiniteError:
        full = "" if self.settings.precision == "full" else "with --precision full, or "
        return NotFiniteError(
            f"the {what} at step {step:,}; {self._kept()}. Start another run, {full}with a lower "
            "learning_rate (in --config): a run that is resumed keeps its settings."
        )

    def _line(self, losses: dict[str, float], step: int) -> dict[str, Any]:
        """Means since the last line of the log where one is due; all processes ask for it."""
        if self.settings.log_every == 0:
            return {}
        for name, value in losses.items():
            self.sums[name] = self.sums.get(name, 0.0) + value
        self.steps_summed += 1
        if not is_due(self.settings.log_every, step, self.settings):
            return {}
        now, count = time.perf_counter(), self.steps_summed
        line: dict[str, Any] = {name: value / count for name, value in self.sums.items()}
        line["seconds_per_step"] = (now - self.clock) / count
        rejected = self.training.pop_statistics()
        if rejected is not None:
            line["rejection"] = rejected.to_dict()
        self.sums, self.steps_summed, self.clock = {}, 0, now
        return line

    def _after(self, step: int, line: dict[str, Any], *, stopping: bool) -> None:
        """What is due after this step. Stopping, it saves and logs and no more."""
        settings = self.settings
        if stopping or step == settings.steps or is_due(settings.save_every, step, settings):
            if not self.training.is_finite():
                raise self._not_finite("weights are no numbers any more", step)
            if self.main:
                self.training.save(self.folder / CHECKPOINT_FILE)
            self.saved = step
        due: set[str] = set()
        if is_due(settings.sample_every, step, settings) and not stopping:
            due.add("samples")
        if is_due(settings.measure_every, step, settings) and not stopping:
            due.add("measured")
        if self.main:
            self._at_intervals(step, line, due)

    def _at_intervals(self, step: int, line: dict[str, Any], due: Collection[str]) -> None:
        """Draw and measure what is due, and log it with the rest of the line.

        None of its time counts as the steps'.
        """
        began, logged = time.perf_counter(), bool(line)
        if "samples" in due:
            self._grid(step)
        if self.measuring and "measured" in due:
            line["measured"] = self.measuring(self.training.average, self._told(step))
        if line and self.log is not None:
            self.log.write(step, **line)
        if "measured" in line or (logged and step == self.settings.steps):
            title = f"{self.settings.model}, tau {self.settings.tau}, {self.folder.name}"
            lines = read_log(self.folder / run_log.FILE)
            plots.write_curves(lines, self.folder / plots.FILE, title=title)
        self.clock += time.perf_counter() - began

    def _told(self, step: int) -> Progress | None:
        """The progress of one measurement, under a name of its own."""
        told = self.progress
        if told is None:
            return None

        def show(stage: str, done: int, total: int | None) -> None:
            if stage.startswith("features"):
                told(f"measuring at step {step:,}", done, total)

        return show

    def _grid(self, step: int) -> None:
        labels = even_labels(GRID, self.training.classes)
        seed = (self.settings.seed, SAMPLES)
        pixels = generated(self.training.average, labels, z=self.settings.z, seed=seed)
        write_grid(pixels, samples_file(self.folder, step))
