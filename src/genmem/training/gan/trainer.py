"""`GanTrainer`: networks, optimizers and rejection of a training, and one step of all.

All random numbers of step s come from one generator seeded with (seed, s, process): the order of
the real images, flips, noise, labels, augmentations. Nothing is kept between steps but what a
checkpoint holds. Several processes share a batch; gradients are averaged, and so is the mean over
accepted images: over those of all processes together.
"""

from __future__ import annotations

import copy
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import nn

from genmem.errors import InputError, UsageError
from genmem.results import Json
from genmem.training.common.checkpoint import (
    Checkpoint,
    check_processes,
    load_checkpoint,
    load_module,
    load_optimizer,
    load_state,
    module_tensors,
    optimizer_tensors,
    save_checkpoint,
)
from genmem.training.common.dataset import TrainingImages
from genmem.training.common.distributed import (
    average_gradients,
    mean_of,
    rows_of,
    share_power_iterations,
    sum_of,
)
from genmem.training.common.ema import update_average
from genmem.training.gan.augment import augmented
from genmem.training.gan.config import GanConfig, training_values
from genmem.training.gan.losses import discriminator_loss, generator_loss
from genmem.training.gan.networks import build_networks
from genmem.training.rejection.rejection import MemorizationRejection, RejectsEverythingError
from genmem.training.rejection.statistics import Statistics

if TYPE_CHECKING:
    from accelerate import Accelerator

KIND = "gan"
"""Kind of the checkpoints."""

_STATE_TYPES: dict[str, tuple[type, ...]] = {
    "step": (int,),
    "config": (dict,),
    "classes": (list,),
    "images": (str,),
    "rejection": (dict, type(None)),
    "scaler": (dict, type(None)),
}


def load_gan(path: Path) -> Checkpoint:
    """Read a GAN's checkpoint.

    Raises:
        InputError: there is none, it is cut short or damaged, or another program's.
    """
    checkpoint = load_checkpoint(path, kind=KIND)
    _check_state(checkpoint.state, path)
    return checkpoint


def load_gan_state(path: Path) -> dict[str, Json]:
    """The state alone, without reading the tensors.

    Raises:
        InputError: as of `load_gan`.
    """
    state = load_state(path, kind=KIND)
    _check_state(state, path)
    return state


def _check_state(state: dict[str, Json], path: Path) -> None:
    for name, types in _STATE_TYPES.items():
        if name not in state or not isinstance(state[name], types) or state[name] is True:
            raise _foreign(path, f"{name} is missing or of another type")
    if state["step"] < 0 or not all(isinstance(name, str) for name in state["classes"]):
        raise _foreign(path, "step or classes are of another type")
    rejection = state["rejection"]
    if rejection is not None and type(rejection.get("steps")) is not int:
        raise _foreign(path, "the rejection's steps are missing")


def _foreign(path: Path, what: str) -> InputError:
    return InputError(
        f"{path}: expected a checkpoint of genmem train gan, but {what}. Resume from another one, "
        "or start a new run."
    )


def check_same_run(
    checkpoint: Checkpoint, config: GanConfig, *, images: str, processes: int
) -> None:
    """Refuse to resume from the checkpoint of another training.

    Args:
        checkpoint: from `load_gan`.
        config: of this run.
        images: the digest of its images.
        processes: in which it trains: random numbers depend on how many there are.

    Raises:
        UsageError: another model, another configuration, other images, more or fewer processes.
    """
    state, path = checkpoint.state, checkpoint.path
    own = training_values(config.to_dict())
    for name, value in state["config"].items():
        if own.get(name) != value:
            raise UsageError(
                f"{path}: the checkpoint was made with {name} = {value!r}, this run has "
                f"{own.get(name)!r}. Resume the run it belongs to, or start another one."
            )
    check_processes(checkpoint, processes)
    if state["images"] != images:
        raise UsageError(
            f"{path}: the checkpoint was trained on other images than {config.train} holds now. "
            "Resume with the same images."
        )


STEP_STREAM, ORDER_STREAM, SAMPLES_STREAM = 0, 1, 2
"""What a random number generator is for: the second part of its seed."""


class GanTrainer:
    """A training. `step` takes one generator step and the discriminator's steps before it.

    Attributes:
        step_count: generator steps taken.
        classes: labels that the networks are conditioned on; 1 where the images have no classes.
        generator, discriminator, average: the networks; `average` is `generator` itself where the
            weights are not averaged.
    """

    def __init__(
        self,
        config: GanConfig,
        data: TrainingImages,
        accelerator: Accelerator,
        rejection: MemorizationRejection | None,
    ) -> None:
        self.config, self.data, self.rejection = config, data, rejection
        self._rejection_state: dict[str, int] | None = None
        self.accelerator, self.device = accelerator, accelerator.device
        self.share = config.batch_size // accelerator.num_processes
        self.step_count = 0
        self.classes = max(1, len(data.classes))
        self._data_labels = np.zeros(len(data), np.int64) if data.labels is None else data.labels
        self._digest = data.digest
        generator, discriminator = build_networks(config, classes=self.classes)
        layout = torch.channels_last  # in which convolutions of few channels are faster
        self.generator = generator.to(self.device).to(memory_format=layout).train()
        self.discriminator = discriminator.to(self.device).to(memory_format=layout).train()
        self.average = generator
        if config.ema_decay > 0:
            self.average = copy.deepcopy(generator).requires_grad_(False).eval()
        self._optimizers = {
            "generator_adam": self._adam(self.generator),
            "discriminator_adam": self._adam(self.discriminator),
        }
        self._order: tuple[int, np.ndarray] = (-1, np.empty(0, np.int64))

    def _adam(self, module: nn.Module) -> Any:
        config = self.config
        adam = torch.optim.Adam(
            module.parameters(),
            lr=config.learning_rate,
            betas=(config.beta1, config.beta2),
            eps=config.adam_eps,
            fused=True if self.device.type == "cuda" else None,
        )
        return self.accelerator.prepare(adam)

    def step(self) -> dict[str, float]:
        """One generator step after `discriminator_steps` of the discriminator.

        Returns:
            `discriminator_loss` (of its last step) and `generator_loss`, means over all processes.

        Raises:
            RejectsEverythingError: τ lets no image pass in any process; nothing of the generator
                has changed then.
        """
        rng = np.random.default_rng(
            [self.config.seed, STEP_STREAM, self.step_count, self.accelerator.process_index]
        )
        losses = []
        for number in range(self.config.discriminator_steps):
            losses.append(self._discriminator_step(number, rng))
        losses.append(self._generator_step(rng))
        if self.accelerator.num_processes > 1:
            share_power_iterations((self.generator, self.discriminator))
        decay = self.config.ema_decay
        if self.average is not self.generator:
            late = self.step_count >= self.config.ema_start
            update_average(self.average, self.generator, decay=decay if late else 0.0)
        self.step_count += 1
        last = mean_of(self.accelerator, torch.stack(losses[-2:])).tolist()
        return {"discriminator_loss": last[0], "generator_loss": last[1]}

    def _discriminator_step(self, number: int, rng: np.random.Generator) -> torch.Tensor:
        real, real_labels = self._real(number, rng)
        with torch.no_grad(), self.accelerator.autocast():
            labels = self._labels(rng)
            fake = self.generator(self._noise(len(labels), rng), labels).float()
        images = torch.cat([real, fake])
        if self.config.augment:
            images = augmented(images, rng)
        with self.accelerator.autocast():
            scores = self.discriminator(images, torch.cat([real_labels, labels])).float()
        loss = discriminator_loss(scores[: len(real)], scores[len(real) :])
        self._descend("discriminator_adam", self.discriminator, loss)
        return loss.detach()

    def _generator_step(self, rng: np.random.Generator) -> torch.Tensor:
        def draw(labels: torch.Tensor) -> torch.Tensor:
            with self.accelerator.autocast():
                return self.generator(self._noise(len(labels), rng), labels).float()

        labels = self._labels(rng)
        failure: RejectsEverythingError | None = None
        fake: torch.Tensor | None = None
        if self.rejection is None:
            fake = draw(labels)
        else:
            try:
                fake, labels = self.rejection.sample_labelled(draw, labels)
            except RejectsEverythingError as error:
                failure = error
        count = 0 if fake is None else len(fake)
        processes = self.accelerator.num_processes
        total = sum_of(self.accelerator, count)
        if failure is not None:
            if total == 0:
                raise failure
            if self.rejection is not None:
                self.rejection.step()  # as in the processes where some image passed
        if fake is None:
            self._descend("generator_adam", self.generator, None)
            return torch.zeros((), device=self.device)
        if self.config.augment:
            fake = augmented(fake, rng)
        self.discriminator.requires_grad_(False)
        with self.accelerator.autocast():
            scores = self.discriminator(fake, labels).float()
        loss = generator_loss(scores) * (count * processes / total)
        self._descend("generator_adam", self.generator, loss)
        self.discriminator.requires_grad_(True)
        return loss.detach()

    def _descend(self, name: str, module: nn.Module, loss: torch.Tensor | None) -> None:
        """One step of Adam on the gradient of `loss` (None: 0 here), averaged over processes."""
        optimizer = self._optimizers[name]
        optimizer.zero_grad(set_to_none=True)
        if loss is not None:
            self.accelerator.backward(loss)
        if self.accelerator.num_processes > 1:
            average_gradients(self.accelerator, module)
        optimizer.step()

    def pop_statistics(self) -> Statistics | None:
        """The rejection's statistics since the last call; all processes must call this."""
        if self.rejection is None:
            return None
        return self.rejection.pop_statistics(lambda row: rows_of(self.accelerator, row))

    def _noise(self, count: int, rng: np.random.Generator) -> torch.Tensor:
        drawn = rng.standard_normal((count, self.config.z_dim), dtype=np.float32)
        return torch.from_numpy(drawn).to(self.device)

    def _labels(self, rng: np.random.Generator) -> torch.Tensor:
        drawn = rng.integers(self.classes, size=self.share)
        return torch.from_numpy(drawn).to(self.device)

    def _real(self, number: int, rng: np.random.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        """This process's share of the next real images, some of them mirrored, and their labels.

        Every pass over the images has an order of its own, which the seed and the pass decide.
        """
        config, count = self.config, len(self.data)
        batches = self.step_count * config.discriminator_steps + number
        first = batches * config.batch_size + self.accelerator.process_index * self.share
        chosen = []
        for position in range(first, first + self.share):
            epoch, place = divmod(position, count)
            if self._order[0] != epoch:
                order = np.random.default_rng([config.seed, ORDER_STREAM, epoch]).permutation(count)
                self._order = (epoch, order)
            chosen.append(int(self._order[1][place]))
        pixels = torch.from_numpy(self.data.pixels[chosen]).to(self.device)
        if config.flips:
            mirrored = torch.from_numpy(rng.random(len(chosen)) < 0.5).to(self.device)
            pixels = torch.where(mirrored[:, None, None, None], pixels.flip(3), pixels)
        labels = torch.from_numpy(self._data_labels[chosen]).to(self.device)
        return pixels.float() / 127.5 - 1, labels

    def is_finite(self) -> bool:
        """Whether all weights, and the running statistics of normalization, are finite."""
        return all(
            bool(value.isfinite().all())
            for module in (self.generator, self.discriminator, self.average)
            for value in module.state_dict().values()
        )

    def save(self, path: Path) -> None:
        """Write a checkpoint."""
        tensors = module_tensors("generator", self.generator)
        tensors |= module_tensors("discriminator", self.discriminator)
        if self.average is not self.generator:
            tensors |= module_tensors("average", self.average)
        for name, optimizer in self._optimizers.items():
            tensors |= optimizer_tensors(name, optimizer)
        save_checkpoint(path, kind=KIND, tensors=tensors, state=self._state())

    def _state(self) -> dict[str, Json]:
        scaler = self.accelerator.scaler
        return {
            "step": self.step_count,
            "config": training_values(self.config.to_dict()),
            "classes": list(self.data.classes),
            "images": self._digest,
            "rejection": None if self.rejection is None else self.rejection.state_dict(),
            "scaler": None if scaler is None else scaler.state_dict(),
            "processes": self.accelerator.num_processes,
            "device": self.device.type,
        }

    def load(self, checkpoint: Checkpoint) -> None:
        """Resume from a checkpoint of `load_gan`.

        Raises:
            UsageError: it is of another training; see `check_same_run`.
            InputError: its tensors do not fit.
        """
        state, processes = checkpoint.state, self.accelerator.num_processes
        check_same_run(checkpoint, self.config, images=self._digest, processes=processes)
        load_module(self.generator, "generator", checkpoint)
        load_module(self.discriminator, "discriminator", checkpoint)
        if self.average is not self.generator:
            load_module(self.average, "average", checkpoint)
        for name, optimizer in self._optimizers.items():
            load_optimizer(optimizer, name, checkpoint)
        self._rejection_state = state["rejection"]
        self.set_rejection(self.rejection)
        if self.accelerator.scaler is not None and state["scaler"] is not None:
            try:
                self.accelerator.scaler.load_state_dict(state["scaler"])
            except (KeyError, RuntimeError, TypeError) as error:
                raise InputError(
                    f"{checkpoint.path}: the scale of its gradients cannot be read. Resume from "
                    "another checkpoint."
                ) from error
        self.step_count = int(state["step"])

    def set_rejection(self, rejection: MemorizationRejection | None) -> None:
        """Reject from now on, at the rejection's step of a checkpoint that was loaded before."""
        self.rejection = rejection
        if rejection is not None and self._rejection_state is not None:
            rejection.load_state_dict(self._rejection_state)
            self._rejection_state = None
