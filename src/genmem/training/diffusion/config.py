"""What a training run is made of: a file's worth of settings that name every number."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Literal, get_args

import numpy as np
from numpy.typing import NDArray

from genmem.errors import InputError, UsageError
from genmem.results import Json, to_json
from genmem.training.common.config import check_kinds
from genmem.training.common.dataset import TrainingImages
from genmem.training.diffusion.layers import Resampling
from genmem.training.diffusion.preconditioning import Parametrization

DEFAULT_ATTENTION = (16,)


@dataclass(frozen=True, kw_only=True)
class UNetSettings:
    """What the network is made of; the defaults are DDPM++ as the memorization paper trains it.

    Attributes:
        image_size: height and width, divisible by 2 once for every multiplier but the first.
        image_channels: of the images.
        channels: the width; every level has a multiple of it.
        multipliers: one a resolution, the highest first.
        blocks: residual blocks a resolution, in the encoder; the decoder has one more.
        attention: resolutions with self-attention, where there are such; see `check_attention`.
        dropout: in every block.
        time_embedding: how the noise level is told.
        resampling: by means and repetition, or filtered.
        progressive_input: feed the image in at every resolution.
        classes: labels the network is told; 0: none. Unique labels are one class an image.
        without_skips: skip connections whose tensor is zeroed where the decoder takes it: "32"
            for all at 32 × 32, "32.1" for the second there.
    """

    image_size: int = 32
    image_channels: int = 3
    channels: int = 128
    multipliers: tuple[int, ...] = (2, 2, 2)
    blocks: int = 2
    attention: tuple[int, ...] = DEFAULT_ATTENTION
    dropout: float = 0.13
    time_embedding: Literal["positional", "fourier"] = "positional"
    resampling: Resampling = "box"
    progressive_input: bool = False
    classes: int = 0
    without_skips: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_kinds(self)
        halvings = len(self.multipliers) - 1
        if halvings < 0 or min(self.multipliers, default=1) < 1 or self.blocks < 1:
            raise UsageError(
                "network: expected at least one resolution, one block, multipliers ≥ 1"
            )
        if self.channels < 4 or self.channels % 4:
            raise UsageError(f"network: expected a multiple of 4 channels, got {self.channels}.")
        if self.image_channels < 1:
            raise UsageError(
                f"network: expected images of at least 1 channel, got {self.image_channels}."
            )
        if self.image_size < 1 or self.image_size % 2**halvings or not self.resolutions[-1]:
            raise UsageError(
                f"network: {halvings + 1} resolutions need images whose side is a multiple of "
                f"{2**halvings}, got {self.image_size}. Give fewer multipliers or another size."
            )
        if not 0 <= self.dropout < 1:
            raise UsageError(f"network: expected dropout in [0, 1), got {self.dropout}.")
        if self.classes < 0:
            raise UsageError(f"network: expected 0 or more classes, got {self.classes}.")
        known = {name for names in self.skips.values() for name in names}
        known |= {str(side) for side in self.skips}
        unknown = [name for name in self.without_skips if name not in known]
        if unknown:
            raise UsageError(
                f"network: no skip connection {unknown[0]!r}; there are {', '.join(sorted(known))}."
            )

    def check_attention(self) -> None:
        """Raise UsageError where attention is asked for at a resolution that there is not."""
        for side in self.attention:
            if side not in self.resolutions:
                raise UsageError(
                    f"attention: expected some of {', '.join(map(str, self.resolutions))}, the "
                    f"sides of the network's feature maps, or none; got {side}."
                )

    @property
    def resolutions(self) -> tuple[int, ...]:
        """The sides of the feature maps, the highest first."""
        return tuple(self.image_size >> level for level in range(len(self.multipliers)))

    @property
    def skips(self) -> dict[int, tuple[str, ...]]:
        """Names of the skip connections at each resolution, as the encoder makes them."""
        return {
            side: tuple(f"{side}.{number}" for number in range(self.blocks + 1))
            for side in self.resolutions
        }

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """[C, H, W] of one image."""
        return self.image_channels, self.image_size, self.image_size


def ncsnpp(settings: UNetSettings) -> UNetSettings:
    """The same network in NCSN++'s manner."""
    return replace(settings, time_embedding="fourier", resampling="fir", progressive_input=True)


Labels = Literal["none", "true", "random", "unique"]
"""What the network is told: nothing, each image's class, a class drawn for each image once, or each
image's number."""

Precision = Literal["no", "bf16", "fp16"]

LARGEST_BATCH = 2**16
"""Images a step, at most: a larger batch is a slip, and its first step would not end."""

PAPER_BATCH = 512
"""The batch size that the learning rate of 2e-4 goes with."""


@dataclass(frozen=True, kw_only=True)
class TrainingSettings:
    """One training run. The defaults are those of "On Memorization in Diffusion Models".

    Attributes:
        network: the U-Net; its `classes` are set by `labels`.
        parametrization: preconditioning and loss.
        labels: what the network is told.
        random_classes: how many classes random labels have.
        batch_size: images a step, over all processes.
        learning_rate: of Adam at a batch of 512; other batches get it in proportion.
        weight_decay: L2, added to the gradient (of the loss summed over pixels).
        epochs: passes over the training set, whatever its size.
        steps: optimizer steps; None: `epochs`' worth.
        warm_up_epochs: passes in which the learning rate rises from 0, in a straight line.
        ema: decay of the averaged weights per step; 0: the latest weights.
        precision: of the network's products; "bf16" and "fp16" need a GPU to be of use.
        snapshots: how many times averaged weights are kept, evenly spaced, the last at the end.
        samples: images that are drawn from each snapshot to measure its memorization ratio; 0: it
            is not measured.
        seed: of weights, order, noise and labels.
    """

    network: UNetSettings = field(default_factory=UNetSettings)
    parametrization: Parametrization = "vp"
    labels: Labels = "none"
    random_classes: int = 10
    batch_size: int = 512
    learning_rate: float = 2e-4
    weight_decay: float = 0.0
    epochs: int = 40_000
    steps: int | None = None
    warm_up_epochs: int = 200
    ema: float = 0.99929
    precision: Precision = "no"
    snapshots: int = 10
    samples: int = 0
    seed: int = 0

    def __post_init__(self) -> None:
        check_kinds(self)
        least = {
            "random_classes": 1,
            "batch_size": 1,
            "epochs": 1,
            "warm_up_epochs": 0,
            "snapshots": 1,
            "samples": 0,
            "seed": 0,
        }
        for name, low in least.items():
            if getattr(self, name) < low:
                raise UsageError(f"{name}: expected at least {low}, got {getattr(self, name)}.")
        if self.batch_size > LARGEST_BATCH:
            raise UsageError(
                f"batch_size: expected at most {LARGEST_BATCH:,} images a step, got "
                f"{self.batch_size:,}: a step holds them all in memory."
            )
        if self.steps is not None and self.steps < 1:
            raise UsageError(f"steps: expected at least 1, got {self.steps}.")
        if not self.learning_rate > 0 or self.weight_decay < 0:
            raise UsageError("expected a learning rate above 0 and a weight decay of 0 or more.")
        if not 0 <= self.ema < 1:
            raise UsageError(f"ema: expected a decay in [0, 1), got {self.ema}.")

    def total_steps(self, images: int) -> int:
        """Optimizer steps in all, on so many images."""
        if self.steps is not None:
            return self.steps
        return max(1, round(self.epochs * images / self.batch_size))

    def learning_rate_at(self, step: int, images: int) -> float:
        """Of step 0, 1, …: in proportion to the batch, after a straight warm-up."""
        full = self.learning_rate * self.batch_size / PAPER_BATCH
        warm_up = self.warm_up_epochs * images / self.batch_size
        return full * min(1.0, (step + 1) / warm_up) if warm_up else full

    def snapshot_steps(self, images: int) -> tuple[int, ...]:
        """After how many steps a snapshot is kept."""
        total = self.total_steps(images)
        count = min(self.snapshots, total)  # more than one a step there cannot be
        return tuple(-(-total * number // count) for number in range(1, count + 1))

    def to_dict(self) -> dict[str, Json]:
        """As plain JSON; `settings_from` reads it."""
        return to_json(asdict(self))


def settings_from(document: Mapping[str, Any]) -> TrainingSettings:
    """The settings that `to_dict` wrote.

    Raises:
        InputError: a name is unknown: another version wrote them. What is missing is the default.
        UsageError: a value that a setting cannot have.
    """
    try:
        network: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in dict(document["network"]).items()
        }
        rest = {key: value for key, value in document.items() if key != "network"}
        return TrainingSettings(network=UNetSettings(**network), **rest)
    except (KeyError, TypeError, ValueError) as error:
        raise InputError(
            f"settings: expected those of a run of this version, but {error}. Train anew, or use "
            "the version that wrote them."
        ) from error


def labels_from(text: str) -> tuple[Labels, int | None]:
    """What a text such as `random:4` names: the kind of labels, and how many random classes.

    Args:
        text: none, true, random, random:C or unique.

    Returns:
        The kind; C, or None where it is not given.

    Raises:
        UsageError: the text names no labels.
    """
    kind, colon, number = text.partition(":")
    for known in get_args(Labels):
        if kind == known and not colon:
            return known, None
        if kind == known == "random" and number.isdecimal() and int(number) > 0:
            return known, int(number)
    raise UsageError(
        f"labels: expected none, true, random, random:C with C classes, or unique, got {text!r}."
    )


def differing(ours: TrainingSettings, theirs: TrainingSettings) -> list[str]:
    """Names of the settings that differ, those of the network as `network.NAME`."""
    names = [
        f"network.{one.name}"
        for one in fields(UNetSettings)
        if getattr(ours.network, one.name) != getattr(theirs.network, one.name)
    ]
    return names + [
        one.name
        for one in fields(TrainingSettings)
        if one.name != "network" and getattr(ours, one.name) != getattr(theirs, one.name)
    ]


def training_labels(
    settings: TrainingSettings, data: TrainingImages
) -> tuple[NDArray[np.int64] | None, int]:
    """What each image's label is, int64 [n], and how many classes there are.

    Raises:
        InputError: true labels are asked for, and the images have none.
    """
    count = len(data)
    if settings.labels == "none":
        return None, 0
    if settings.labels == "unique":
        return np.arange(count, dtype=np.int64), count
    if settings.labels == "random":
        classes = settings.random_classes
        drawn = np.random.default_rng([settings.seed, 1]).integers(classes, size=count)
        return drawn.astype(np.int64), classes
    if data.labels is None:
        raise InputError(
            f"{data.name}: true labels need images with classes; load them with classes=True."
        )
    return data.labels, len(data.classes)
