"""A model in training: its weights, their average, the optimizer, and one step of all.

Every random number is a function of seed, step and process, so a run resumes exactly. Step s takes
the images at places s·b … s·b + b − 1 of an endless list, one shuffled pass over the training set
after the other; noise levels, noise and dropout come from generators seeded by (seed, s). Weights,
their average, Adam's moments and the step are then all there is to keep.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np
import torch
from numpy.typing import NDArray

from genmem.errors import UsageError
from genmem.results import Json
from genmem.training.common.checkpoint import (
    Checkpoint,
    check_processes,
    load_module,
    load_optimizer,
    module_tensors,
    optimizer_tensors,
    save_checkpoint,
)
from genmem.training.common.dataset import TrainingImages
from genmem.training.common.distributed import patience
from genmem.training.common.ema import Ema
from genmem.training.diffusion import run_folder
from genmem.training.diffusion.config import TrainingSettings
from genmem.training.diffusion.preconditioning import weighted_loss

if TYPE_CHECKING:
    from accelerate import Accelerator

Device = Literal["auto", "cpu", "cuda"]


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


def make_accelerator(settings: TrainingSettings, device: Device) -> Accelerator:
    """What spreads a training over the devices that accelerate was launched on.

    Raises:
        UsageError: accelerate is missing, or there is no such device, or not in this precision.
    """
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
        made = Accelerator(
            mixed_precision=settings.precision, cpu=cpu, kwargs_handlers=[patience()]
        )
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


class Training:
    """The model, its average, its optimizer and one step of all.

    Attributes:
        step: how many were taken.
        main: whether this process is the one that writes.
        state: what was saved beside the weights; None in a new run.
    """

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
        self.state: dict[str, Json] | None = None
        self.pixels = torch.from_numpy(np.ascontiguousarray(data.pixels)).to(self.device)
        self.labels = None if labels is None else torch.from_numpy(labels).to(self.device)
        torch.manual_seed(seed_of(settings.seed, 2))
        made = run_folder.make_denoiser(settings).to(self.device)
        self.ema = Ema(made, settings.ema)
        optimizer = torch.optim.Adam(
            made.parameters(), weight_decay=settings.weight_decay, fused=True
        )
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
        """Write a checkpoint, with `state` beside the weights."""
        scaler = self.accelerator.scaler
        save_checkpoint(
            path,
            kind=run_folder.KIND,
            tensors={
                **module_tensors("model", self.own),
                **module_tensors("ema", self.ema.module),
                **optimizer_tensors("adam", self.optimizer.optimizer),
            },
            state={
                "step": self.step,
                "scaler": None if scaler is None else scaler.state_dict(),
                "processes": self.accelerator.num_processes,
                **state,
            },
        )

    def load(self, checkpoint: Checkpoint) -> None:
        """Go on from a checkpoint.

        Raises:
            UsageError: it was made in more or fewer processes: noise levels and noise would be
                others. Checkpoints of older versions do not tell.
            InputError: its tensors do not fit.
        """
        check_processes(checkpoint, self.accelerator.num_processes)
        load_module(self.own, "model", checkpoint)
        load_module(self.ema.module, "ema", checkpoint)
        load_optimizer(self.optimizer.optimizer, "adam", checkpoint)
        self.step = int(checkpoint.state["step"])
        self.state = checkpoint.state
        if self.accelerator.scaler is not None and checkpoint.state["scaler"]:
            self.accelerator.scaler.load_state_dict(checkpoint.state["scaler"])
