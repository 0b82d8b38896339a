"""`DiffusionTrainer`: a model in training, its average and its optimizer, and one step of all.

Every random number is a function of seed, step and process, so that a run resumes exactly. Step s
takes the images at places s·b … s·b + b − 1 of an endless list, one shuffled pass over the training
set after the other; noise levels, noise and dropout come from generators seeded by (seed, s).
Weights, their average, Adam's moments and the step are then all that a checkpoint must hold.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

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
from genmem.training.common.ema import Ema
from genmem.training.diffusion import run_folder
from genmem.training.diffusion.config import DiffusionConfig
from genmem.training.diffusion.learning_rate import learning_rate_at
from genmem.training.diffusion.preconditioning import weighted_loss

if TYPE_CHECKING:
    from accelerate import Accelerator


def batch_positions(step: int, *, images: int, batch_size: int, seed: int) -> NDArray[np.int64]:
    """Which images step 0, 1, … takes, int64 [batch_size].

    Places s·b … s·b + b − 1 of one shuffled pass after the other; a batch may hold several passes.
    """
    first, last = step * batch_size, (step + 1) * batch_size
    passes = range(first // images, (last - 1) // images + 1)
    orders = [np.random.default_rng([seed, 0, number]).permutation(images) for number in passes]
    start = first - passes.start * images
    return np.concatenate(orders)[start : start + batch_size]


def combined_seed(*numbers: int) -> int:
    """A 63-bit seed for a torch generator, from several numbers."""
    high, low = np.random.SeedSequence(numbers).generate_state(2, np.uint32).tolist()
    return (high << 31) ^ low


class DiffusionTrainer:
    """The model, its average, its optimizer and one step of all.

    Attributes:
        step_count: steps taken.
        main: whether this process is the one that writes.
        saved_state: what the checkpoint that was loaded holds beside weights; None in a new run.
    """

    def __init__(
        self,
        data: TrainingImages,
        labels: NDArray[np.int64] | None,
        config: DiffusionConfig,
        accelerator: Accelerator,
    ) -> None:
        self.data, self.config, self.accelerator = data, config, accelerator
        self.main = accelerator.is_main_process
        self.device = accelerator.device
        self.step_count = 0
        self.saved_state: dict[str, Json] | None = None
        self.pixels = torch.from_numpy(np.ascontiguousarray(data.pixels)).to(self.device)
        self.labels = None if labels is None else torch.from_numpy(labels).to(self.device)
        torch.manual_seed(combined_seed(config.seed, 2))
        model = run_folder.build_denoiser(config).to(self.device)
        if self.device.type == "cuda":
            model.to(memory_format=torch.channels_last)  # of tensor cores' convolutions
        self.ema = Ema(model, config.ema_decay)
        optimizer = torch.optim.Adam(
            model.parameters(), weight_decay=config.weight_decay, fused=True
        )
        self.denoiser, self.optimizer = accelerator.prepare(model, optimizer)
        self.model = model
        self.preconditioned = model.preconditioned

    def step(self) -> torch.Tensor:
        """One step; the loss per pixel of this process, a tensor on the device."""
        config, count = self.config, len(self.data)
        rank, processes = self.accelerator.process_index, self.accelerator.num_processes
        positions = batch_positions(
            self.step_count, images=count, batch_size=config.batch_size, seed=config.seed
        )[rank::processes]
        chosen = torch.from_numpy(positions).to(self.device)
        seed = combined_seed(config.seed, 3, self.step_count, rank)
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
        rate = learning_rate_at(config, self.step_count, count)
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        self.optimizer.step()
        self.ema.update(self.model)
        self.step_count += 1
        return loss.detach().double() / clean[0].numel()

    def save(self, path: Path, state: dict[str, Json]) -> None:
        """Write a checkpoint, with `state` beside the weights."""
        scaler = self.accelerator.scaler
        save_checkpoint(
            path,
            kind=run_folder.KIND,
            tensors={
                **module_tensors("model", self.model),
                **module_tensors("ema", self.ema.module),
                **optimizer_tensors("adam", self.optimizer.optimizer),
            },
            state={
                "step": self.step_count,
                "scaler": None if scaler is None else scaler.state_dict(),
                "processes": self.accelerator.num_processes,
                "device": self.device.type,
                **state,
            },
        )

    def load(self, checkpoint: Checkpoint) -> None:
        """Resume from a checkpoint.

        Raises:
            UsageError: it was made in another number of processes (see `check_processes`).
            InputError: its tensors do not fit.
        """
        check_processes(checkpoint, self.accelerator.num_processes)
        load_module(self.model, "model", checkpoint)
        load_module(self.ema.module, "ema", checkpoint)
        load_optimizer(self.optimizer.optimizer, "adam", checkpoint)
        self.step_count = int(checkpoint.state["step"])
        self.saved_state = checkpoint.state
        if self.accelerator.scaler is not None and checkpoint.state["scaler"]:
            self.accelerator.scaler.load_state_dict(checkpoint.state["scaler"])
