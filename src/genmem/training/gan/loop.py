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
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from genmem.errors import InputError, UsageError
from genmem.images import Progress
from genmem.report.files import written_whole
from genmem.training import checkpoints, runlog
from genmem.training.checkpoints import load_checkpoint
from genmem.training.gan import curves
from genmem.training.gan.measuring import Measuring
from genmem.training.gan.parts import (
    Device,
    make_accelerator,
    make_measuring,
    make_rejection,
    training_images,
)
from genmem.training.gan.samples import even_labels, generated, write_grid
from genmem.training.gan.settings import Settings
from genmem.training.gan.state import KIND, SAMPLES, Training
from genmem.training.runlog import RunLog, read_log
from genmem.training.stopping import asked_to_stop

CONFIG = "config.json"
GRID = 100


class NotFiniteError(UsageError):
    """A loss or a weight is no number any more; the last good checkpoint was kept."""


@dataclass(frozen=True)
class Ending:
    """How a run ended: at which step, whether because it was asked to stop, and who is to say so.

    `main` is False in all processes but the first.
    """

    step: int
    interrupted: bool
    main: bool = True


def train(
    settings: Settings,
    out: str | Path,
    *,
    resume: bool = False,
    device: Device = "auto",
    progress: Progress | None = None,
    stop: Callable[[int], bool] | None = None,
) -> Ending:
    """Train a GAN, with or without memorization rejection, or go on with a run.

    A first SIGINT (Ctrl-C) or SIGTERM lets the step end, saves and returns.

    Args:
        settings: from `make_settings`.
        out: the run's folder; a new one unless `resume`.
        resume: go on from the run's checkpoint.
        device: "auto" takes what accelerate finds; processes are those accelerate launched.
        progress: told about every stage.
        stop: asked after each step whether to save and end there.

    Raises:
        InputError: images that cannot be used; a checkpoint of another version.
        UsageError: settings that do not go together, a run that is there already, a checkpoint of
            another model, a τ that rejects everything (RejectsEverythingError), a loss that is no
            number (NotFiniteError), a disk that is full. The last checkpoint stays whole.
        WeightsError: a backbone's weights are missing.
    """
    folder = Path(out)
    accelerator = make_accelerator(settings, device)
    main = accelerator.is_main_process
    shown = progress if main else None
    _check_folder(folder, resume=resume)
    data = training_images(settings, shown)
    rejection = make_rejection(settings, data, accelerator, shown)
    training = Training(settings, data, accelerator, rejection)
    if resume:
        training.load(load_checkpoint(folder / checkpoints.FILE, kind=KIND))
    if training.step_count >= settings.steps:
        raise UsageError(
            f"{folder}: the run is at step {training.step_count:,} of {settings.steps:,} already; "
            "give more --steps to train on."
        )
    measuring = make_measuring(settings, data, accelerator, shown) if main else None
    accelerator.wait_for_everyone()
    log = _prepare(folder, settings, training.step_count) if main else None
    ending = _Run(training, folder, log, measuring, shown, stop).go()
    accelerator.wait_for_everyone()  # what the main process wrote is there when any returns
    return ending


def _check_folder(folder: Path, *, resume: bool) -> None:
    """Refuse to write over a run, or to resume where there is none."""
    there = (folder / checkpoints.FILE).is_file()
    if resume and not there:
        raise InputError(f"{folder}: there is no {checkpoints.FILE} to resume from.")
    if there and not resume:
        raise UsageError(
            f"{folder} holds a run already; go on with it by --resume, or name another folder."
        )


def _prepare(folder: Path, settings: Settings, step: int) -> RunLog:
    """Make the run's folder, write its configuration, begin its log or cut it at the checkpoint."""
    try:
        (folder / "samples").mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"cannot make {folder}: {(error.strerror or '').lower()}") from error
    with written_whole(folder / CONFIG) as file:
        file.write((json.dumps(settings.to_dict(), indent=2) + "\n").encode())
    return RunLog(folder / runlog.FILE, resumed_at=step or None)


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
    ) -> None:
        self.training, self.settings = training, training.settings
        self.folder, self.log, self.measuring = folder, log, measuring
        self.progress, self.stop = progress, stop
        self.main = training.accelerator.is_main_process
        self.saved: int | None = training.step_count or None
        self.losses: list[dict[str, float]] = []
        self.clock = time.perf_counter()

    def go(self) -> Ending:
        """Train to the last step, or until asked to stop."""
        training, settings = self.training, self.settings
        stage = f"training {settings.model}"
        if self.progress:
            self.progress(stage, training.step_count, settings.steps)
        with asked_to_stop() as asked:
            while training.step_count < settings.steps:
                losses = training.step()
                step = training.step_count
                self._check(losses, step)
                self.losses.append(losses)
                here = asked() or (self.stop is not None and self.stop(step))
                stopping = training.anywhere(here)
                if self.main:
                    self._at(step, finished=step == settings.steps, stopping=stopping)
                if self.progress:
                    self.progress(stage, step, settings.steps)
                if stopping:
                    return Ending(step, interrupted=step < settings.steps, main=self.main)
        return Ending(training.step_count, interrupted=False, main=self.main)

    def _check(self, losses: dict[str, float], step: int) -> None:
        for name, value in losses.items():
            if not math.isfinite(value):
                raise self._not_finite(f"{name.replace('_', ' ')} became {value}", step)

    def _not_finite(self, what: str, step: int) -> NotFiniteError:
        kept = (
            f"the last good checkpoint, of step {self.saved:,}, is in {self.folder}"
            if self.saved
            else "there was no checkpoint yet"
        )
        return NotFiniteError(
            f"the {what} at step {step:,}; {kept}. Start again from there with full precision, or "
            "a new run with a lower learning_rate."
        )

    def _at(self, step: int, *, finished: bool, stopping: bool) -> None:
        """What is due after this step; on the main process. Stopping, it saves and no more."""
        settings = self.settings

        def due(every: int) -> bool:
            return every > 0 and (finished or step % every == 0)

        line: dict[str, Any] = {}
        if due(settings.log_every):
            line |= self._logged()
        if finished or stopping or due(settings.save_every):
            if not self.training.is_finite():
                raise self._not_finite("weights are no numbers any more", step)
            self.training.save(self.folder / checkpoints.FILE)
            self.saved = step
        if due(settings.sample_every) and not stopping:
            self._grid(step)
        if self.measuring and due(settings.measure_every) and not stopping:
            began = time.perf_counter()
            line["measured"] = self.measuring(self.training.average, self._told(step))
            self.clock += time.perf_counter() - began
        if line and self.log is not None:
            self.log.write(step, **line)
        if "measured" in line or (finished and due(settings.log_every)):
            title = f"{settings.model}, tau {settings.tau}, {self.folder.name}"
            lines = read_log(self.folder / runlog.FILE)
            curves.write_curves(lines, self.folder / curves.FILE, title=title)

    def _logged(self) -> dict[str, Any]:
        """Means since the last line."""
        now, count = time.perf_counter(), len(self.losses)
        out: dict[str, Any] = {
            name: sum(losses[name] for losses in self.losses) / count for name in self.losses[0]
        }
        out["seconds_per_step"] = (now - self.clock) / count
        if self.training.rejection is not None:
            out["rejection"] = self.training.rejection.pop_statistics().to_dict()
        self.losses, self.clock = [], now
        return out

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
        write_grid(pixels, self.folder / "samples" / f"step-{step:07d}.png")
