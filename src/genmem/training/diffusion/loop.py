"""Training: every random number is a function of seed, step and process, so a run resumes exactly.

Step s takes the images at places s·b … s·b + b − 1 of an endless list, one shuffled pass over the
training set after the other; noise levels, noise and dropout come from generators seeded by
(seed, s). Weights, their average, Adam's moments and the step are then all there is to keep.
"""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from genmem.errors import InputError, UsageError
from genmem.images import Progress
from genmem.results import Json
from genmem.training.checkpoints import (
    Checkpoint,
    load_checkpoint,
    load_module,
    load_optimizer,
    module_tensors,
    optimizer_tensors,
    save_checkpoint,
)
from genmem.training.data import TrainingImages
from genmem.training.diffusion import runs
from genmem.training.diffusion.preconditioning import weighted_loss
from genmem.training.diffusion.settings import (
    TrainingSettings,
    differing,
    settings_from,
    training_labels,
)
from genmem.training.ema import Ema
from genmem.training.runlog import RunLog
from genmem.training.stopping import asked_to_stop

if TYPE_CHECKING:
    from accelerate import Accelerator

CHECKPOINT_SECONDS = 300.0
"""How often everything is saved, at least."""

LOG_STEPS = 50
"""How often the mean loss is logged, and looked at."""

Device = Literal["auto", "cpu", "cuda"]


class DivergedError(InputError):
    """The loss is no number any more; the checkpoint is the one before that."""


@dataclass(frozen=True)
class Ending:
    """How training ended: after how many steps, and whether it was asked to stop before the end."""

    step: int
    interrupted: bool


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
) -> Ending:
    """Train a diffusion model, or go on with a run; on as many devices as accelerate launched.

    A first Ctrl-C or SIGTERM lets the step end, saves and returns.

    Args:
        data: the training images.
        folder: the run's (see `runs`); a new one unless `resume`.
        settings: of the run; the network's classes are set here from `labels`.
        resume: go on from the checkpoint. On a CPU the result is that of an uninterrupted run, bit
            for bit.
        device: "auto" takes what accelerate finds.
        progress: told how many steps are done.
        stop_after: save and return after so many steps in all.
        source: where the images came from and how they were chosen, kept in the run's settings for
            whoever resumes it.

    Raises:
        InputError: images that do not fit the network, other images than the run began with, a
            checkpoint that cannot be used, or a loss that is no number (DivergedError).
        UsageError: a run that is there already, other settings than the run began with, a disk
            that is full.
    """
    folder = Path(folder)
    labels, classes = training_labels(settings, data)
    settings = replace(settings, network=replace(settings.network, classes=classes))
    _check_images(data, settings)
    checkpoint = _begin(folder, settings, data, resume=resume)
    with torch.random.fork_rng(devices=range(torch.cuda.device_count())):
        training = _Training(data, labels, settings, _accelerator(settings, device))
        if checkpoint is not None:
            training.load(checkpoint)
        if training.main and checkpoint is None:
            _prepare(folder, settings, data, source or {})
        return _Loop(training, folder, progress, stop_after).go(resumed=checkpoint is not None)


def _check_images(data: TrainingImages, settings: TrainingSettings) -> None:
    expected = settings.network.image_shape
    if tuple(data.pixels.shape[1:]) != expected:
        raise InputError(
            f"{data.name}: expected images of shape {list(expected)} (channels, height, width), as "
            f"the network takes, got {list(data.pixels.shape[1:])}."
        )


def _begin(
    folder: Path, settings: TrainingSettings, data: TrainingImages, *, resume: bool
) -> Checkpoint | None:
    """The checkpoint to go on from; None for a new run."""
    there = (folder / runs.CHECKPOINT).is_file() or (folder / runs.SETTINGS).is_file()
    if there and not resume:
        raise UsageError(
            f"{folder} holds a run already; go on with it by --resume, or name another folder."
        )
    if not resume:
        return None
    document = runs.read_settings(folder)
    other = differing(settings, settings_from(document["settings"]))
    if other:
        raise UsageError(
            f"{folder}: the run began with another {', '.join(other)}; resume it with the settings "
            f"in its {runs.SETTINGS}, or begin another run."
        )
    if document["data"]["digest"] != data.digest:
        raise InputError(
            f"{folder}: the run began with other training images ({document['data']['name']}, "
            f"{document['data']['count']:,} images); expected the same ones to resume it."
        )
    if not (folder / runs.CHECKPOINT).is_file():
        return None  # stopped before the first checkpoint
    return load_checkpoint(folder / runs.CHECKPOINT, kind=runs.KIND)


def _prepare(
    folder: Path, settings: TrainingSettings, data: TrainingImages, source: Mapping[str, Json]
) -> None:
    from genmem import __version__

    try:
        (folder / runs.SNAPSHOTS).mkdir(parents=True, exist_ok=True)
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
    runs.write_settings(
        folder,
        {
            "settings": settings.to_dict(),
            "data": described,
            "source": dict(source),
            "versions": versions,
        },
    )


def _accelerator(settings: TrainingSettings, device: Device) -> Accelerator:
    try:
        from accelerate import Accelerator
    except ImportError as error:
        raise UsageError("training needs accelerate: pip install 'genmem[train]'.") from error
    if device == "cuda" and not torch.cuda.is_available():
        raise UsageError("device 'cuda' is not available here; use auto or cpu.")
    cpu = device == "cpu" or not torch.cuda.is_available()
    if settings.precision == "fp16" and cpu:
        raise UsageError("precision 'fp16' needs a GPU; use no, or bf16, which a CPU can.")
    try:
        made = Accelerator(mixed_precision=settings.precision, cpu=cpu)
    except ValueError as error:
        raise UsageError(
            "one process trains in one precision on one kind of device; start another process."
        ) from error
    if settings.batch_size % made.num_processes:
        raise UsageError(
            f"batch size: expected a multiple of {made.num_processes}, the number of processes, "
            f"got {settings.batch_size}."
        )
    return made


def batch_positions(step: int, *, images: int, batch_size: int, seed: int) -> NDArray[np.int64]:
    """Which images step 0, 1, … takes, int64 [batch_size].

    Places s·b … s·b + b − 1 of one shuffled pass after the other; a batch may hold several passes.
    """
    first, last = step * batch_size, (step + 1) * batch_size
    passes = range(first // images, (last - 1) // images + 1)
    orders = [np.random.default_rng([seed, 0, number]).permutation(images) for number in passes]
    start = first - passes.start * images
    return np.concatenate(orders)[start : start + batch_size]


def seed_of(*numbers: int) -> int:
    """A 63-bit seed for a torch generator, from several numbers."""
    high, low = np.random.SeedSequence(numbers).generate_state(2, np.uint32).tolist()
    return (high << 31) ^ low


class _Training:
    """The model, its average, its optimizer and one step of all."""

    def __init__(
        self,
        data: TrainingImages,
        labels: NDArray[np.int64] | None,
        settings: TrainingSettings,
        accelerator: Accelerator,
    ) -> None:
        self.data, self.settings, self.accelerator = data, settings, accelerator
        self.main = accelerator.is_main_process
        self.device = accelerator.device
        self.step = 0
        self.pixels = torch.from_numpy(np.ascontiguousarray(data.pixels)).to(self.device)
        self.labels = None if labels is None else torch.from_numpy(labels).to(self.device)
        torch.manual_seed(seed_of(settings.seed, 2))
        made = runs.make_denoiser(settings).to(self.device)
        self.ema = Ema(made, settings.ema)
        optimizer = torch.optim.Adam(made.parameters(), weight_decay=settings.weight_decay)
        self.denoiser, self.optimizer = accelerator.prepare(made, optimizer)
        self.own = made
        self.preconditioned = made.preconditioned

    def take_step(self) -> torch.Tensor:
        """One step; the loss per pixel of this process, a tensor on the device."""
        settings, count = self.settings, len(self.data)
        rank, processes = self.accelerator.process_index, self.accelerator.num_processes
        positions = batch_positions(
            self.step, images=count, batch_size=settings.batch_size, seed=settings.seed
        )[rank::processes]
        chosen = torch.from_numpy(positions).to(self.device)
        seed = seed_of(settings.seed, 3, self.step, rank)
        sigma = self.preconditioned.training_sigmas(
            len(chosen), torch.Generator().manual_seed(seed)
        ).to(self.device)
        torch.manual_seed(seed + 1)  # noise, and dropout inside the network
        clean = self.pixels[chosen].float() / 127.5 - 1
        noise = torch.randn(clean.shape, device=self.device)
        labels = None if self.labels is None else self.labels[chosen]
        loss = weighted_loss(self.denoiser, self.preconditioned, clean, noise, sigma, labels).mean()
        self.optimizer.zero_grad(set_to_none=True)
        self.accelerator.backward(loss)
        rate = settings.learning_rate_at(self.step, count)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.step()
        self.ema.update(self.own)
        self.step += 1
        return loss.detach().double() / clean[0].numel()

    def save(self, path: Path, state: dict[str, Json]) -> None:
        scaler = self.accelerator.scaler
        save_checkpoint(
            path,
            kind=runs.KIND,
            tensors={
                **module_tensors("model", self.own),
                **module_tensors("ema", self.ema.module),
                **optimizer_tensors("adam", self.optimizer.optimizer),
            },
            state={
                "step": self.step,
                "scaler": None if scaler is None else scaler.state_dict(),
                **state,
            },
        )

    def load(self, checkpoint: Checkpoint) -> None:
        load_module(self.own, "model", checkpoint)
        load_module(self.ema.module, "ema", checkpoint)
        load_optimizer(self.optimizer.optimizer, "adam", checkpoint)
        self.step = int(checkpoint.state["step"])
        self.state = checkpoint.state
        if self.accelerator.scaler is not None and checkpoint.state["scaler"]:
            self.accelerator.scaler.load_state_dict(checkpoint.state["scaler"])

    state: dict[str, Json] | None = None
    """What was saved beside the weights; None in a new run."""


class _Loop:
    """Steps one after the other, and what is due after each."""

    def __init__(
        self,
        training: _Training,
        folder: Path,
        progress: Progress | None,
        stop_after: int | None,
    ) -> None:
        self.training, self.folder = training, folder
        self.progress = progress if training.main else None
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
            self.log = RunLog(self.folder / runs.LOG, resumed_at=at)
        clock = time.monotonic()
        if self.progress:
            self.progress("training", training.step, self.total)
        with asked_to_stop() as asked:
            while training.step < self.stop_after:
                self.loss += training.take_step()
                self.losses += 1
                if self.progress:
                    self.progress("training", training.step, self.total)
                stopping = self._anywhere(asked()) or training.step == self.stop_after
                if training.step % LOG_STEPS == 0 or training.step == self.total:
                    self._write_loss()
                snapshot = training.step in self.due
                if snapshot:
                    self._snapshot()
                if snapshot or stopping or time.monotonic() - clock > CHECKPOINT_SECONDS:
                    self._save()
                    clock = time.monotonic()
                if stopping:
                    break
        return Ending(training.step, interrupted=training.step < self.total)

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
            runs.snapshot_file(self.folder, step),
            kind=f"{runs.KIND} snapshot",
            tensors=module_tensors("ema", training.ema.module),
            state={"step": step},
        )
        count = training.settings.samples
        if count and self.log is not None:
            found = runs.memorized(
                training.ema.module,  # pyright: ignore[reportArgumentType]
                training.data,
                samples=count,
                classes=training.settings.network.classes,
                seed=training.settings.seed,
                device=training.device,
            )
            ratio = found.to_dict()
            self.log.write(step, memorization_ratio=ratio)

    def _save(self) -> None:
        self._mean_loss()
        if self.training.main:
            state: dict[str, Json] = {"loss": float(self.loss), "losses": self.losses}
            self.training.save(self.folder / runs.CHECKPOINT, state)
        self.saved = self.training.step
