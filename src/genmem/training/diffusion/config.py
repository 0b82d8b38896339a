"""Configurations of a diffusion training: `DiffusionConfig`, and its network's `UNetConfig`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Self

from pydantic import Field, field_validator, model_validator

from genmem.errors import UsageError
from genmem.training.common.config import (
    INTERNAL,
    LARGEST_WIDTH,
    Config,
    Names,
    Numbers,
    Precision,
    Seed,
)
from genmem.training.diffusion.labels import LabelKind, parse_labels

DEFAULT_ATTENTION = (16,)

Resampling = Literal["box", "fir"]
"""Means over 2 × 2 pixels and repeated pixels, or the filter [1, 3, 3, 1]."""

Parametrization = Literal["vp", "ve", "edm"]
"""Preconditioning and loss, of table 1 of "Elucidating the Design Space"."""

MODEL_VALUES: Mapping[str, Mapping[str, Any]] = {
    "ddpm++": {"time_embedding": "positional", "resampling": "box", "progressive_input": False},
    "ncsn++": {"time_embedding": "fourier", "resampling": "fir", "progressive_input": True},
}
"""What a model decides of its network."""


class UNetConfig(Config):
    """Configuration of the network. The defaults are DDPM++ as the memorization paper trains it."""

    image_size: int = Field(
        default=32,
        ge=1,
        json_schema_extra=INTERNAL,
        description="Height and width of the images, divisible by 2 for every multiplier but one.",
    )
    image_channels: int = Field(
        default=3, ge=1, json_schema_extra=INTERNAL, description="Channels of the images."
    )
    model: Literal["ddpm++", "ncsn++"] = Field(
        default="ddpm++",
        description="Architecture. ncsn++ has Fourier time embedding, filtered resampling, and "
        "the image as input at every resolution.",
    )
    channels: int = Field(
        default=128, ge=4, le=LARGEST_WIDTH, multiple_of=4, description="Base width of the network."
    )
    multipliers: Numbers = Field(
        default=(2, 2, 2),
        max_length=16,
        description="Width multipliers, one per resolution, the highest first.",
    )
    blocks: int = Field(
        default=2, ge=1, le=64, description="Residual blocks per resolution in the encoder."
    )
    attention: Numbers = Field(
        default=DEFAULT_ATTENTION, description="Resolutions with self-attention, or none."
    )
    dropout: float = Field(default=0.13, ge=0, lt=1, description="Dropout in every block.")
    time_embedding: Literal["positional", "fourier"] = Field(
        default="positional",
        description="Embedding of the noise level. [default: depends on --model]",
    )
    resampling: Resampling = Field(
        default="box", description="Resampling between resolutions. [default: depends on --model]"
    )
    progressive_input: bool = Field(
        default=False,
        description="Feed the image in at every resolution. [default: depends on --model]",
    )
    classes: int = Field(
        default=0,
        ge=0,
        json_schema_extra=INTERNAL,
        description="Labels that the network is conditioned on; 0 for none.",
    )
    without_skips: Names = Field(
        default=(),
        description="Skip connections to disable: a resolution (e.g. 32) or one connection "
        "(e.g. 16.0). [default: none]",
    )

    @model_validator(mode="before")
    @classmethod
    def _fill_in_model_values(cls, values: Any) -> Any:
        model = values.get("model", "ddpm++") if isinstance(values, dict) else None
        return {**MODEL_VALUES[model], **values} if model in tuple(MODEL_VALUES) else values

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        halvings = len(self.multipliers) - 1
        if halvings < 0 or min(self.multipliers, default=1) < 1:
            raise UsageError(
                f"multipliers: expected at least one whole number from 1 on, got "
                f"{list(self.multipliers)}."
            )
        if self.image_size % 2**halvings or not self.resolutions[-1]:
            raise UsageError(
                f"multipliers: {halvings + 1} resolutions need images whose side is a multiple of "
                f"{2**halvings}, got {self.image_size}. Give fewer multipliers or another size."
            )
        known = {name for names in self.skips.values() for name in names}
        known |= {str(side) for side in self.skips}
        for name in self.without_skips:
            if name not in known:
                raise UsageError(
                    f"without_skips: expected some of {', '.join(sorted(known))}; there is no skip "
                    f"connection {name!r}."
                )
        return self

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


def ncsnpp(config: UNetConfig) -> UNetConfig:
    """The same network in NCSN++'s manner."""
    return config.replace(model="ncsn++", **MODEL_VALUES["ncsn++"])


class DiffusionConfig(Config):
    """Configuration of one training. The defaults are those of "On Memorization in Diffusion
    Models".
    """

    network: UNetConfig = Field(default_factory=UNetConfig, description="The U-Net.")
    parametrization: Parametrization = Field(default="vp", description="Preconditioning and loss.")
    labels: str = Field(
        default="none",
        description="Labels given to the network. none: no labels; true: the class of each image; "
        "random[:C]: one of C classes (10 without :C), drawn at random once for each image; "
        "unique: a label of its own for each image.",
        json_schema_extra={"metavar": "none|true|random[:C]|unique"},
    )
    batch_size: int = Field(default=512, ge=1, le=2**16, description="Global batch size.")
    learning_rate: float = Field(
        default=2e-4,
        gt=0,
        description="Adam's learning rate at a batch size of 512, scaled in proportion for other "
        "batch sizes.",
    )
    weight_decay: float = Field(default=0.0, ge=0, description="L2 penalty, added to the gradient.")
    epochs: int = Field(default=40_000, ge=1, description="Passes over the training set.")
    steps: int | None = Field(
        default=None, ge=1, description="Optimizer steps in total. [default: depends on --epochs]"
    )
    warm_up_epochs: int = Field(
        default=200, ge=0, description="Passes in which the learning rate rises linearly from 0."
    )
    ema_decay: float = Field(
        default=0.99929,
        ge=0,
        lt=1,
        description="Decay of the averaged weights per step; 0 for the latest weights.",
    )
    precision: Precision = Field(
        default="full", description="Floating-point precision; bf16 and fp16 are mixed precision."
    )
    snapshots: int = Field(
        default=10,
        ge=1,
        description="Number of evenly spaced snapshots of the averaged weights.",
    )
    samples: int = Field(
        default=1_000,
        ge=0,
        description="Images to generate from each snapshot for its memorization ratio; 0 for none.",
        json_schema_extra={"own_help": True},
    )
    seed: Seed = Field(default=0, description="Random seed.")

    @field_validator("labels")
    @classmethod
    def _check_labels(cls, labels: str) -> str:
        parse_labels(labels)
        return labels

    @property
    def label_kind(self) -> LabelKind:
        """What labels the network is conditioned on."""
        return parse_labels(self.labels)[0]

    def total_steps(self, images: int) -> int:
        """Optimizer steps in all, on so many images."""
        if self.steps is not None:
            return self.steps
        return max(1, round(self.epochs * images / self.batch_size))

    def snapshot_steps(self, images: int) -> tuple[int, ...]:
        """After how many steps a snapshot is kept."""
        total = self.total_steps(images)
        count = min(self.snapshots, total)
        return tuple(-(-total * number // count) for number in range(1, count + 1))


def differing_fields(first: DiffusionConfig, second: DiffusionConfig) -> list[str]:
    """Names of the settings that differ, those of the network as `network.NAME`."""
    names = [
        f"network.{name}"
        for name in UNetConfig.model_fields
        if getattr(first.network, name) != getattr(second.network, name)
    ]
    return names + [
        name
        for name in DiffusionConfig.model_fields
        if name != "network" and getattr(first, name) != getattr(second, name)
    ]
