"""`GanConfig`: all that may differ between two trainings of a GAN, and the papers' values by model.

The values for CIFAR-10 are those of "Reducing Training Sample Memorization in GANs by Training with
Memorization Rejection" (arXiv 2210.12231); other sizes follow `networks.up_plan`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import BeforeValidator, Field, model_validator

from genmem.errors import UsageError
from genmem.training.common.config import LARGEST_WIDTH, Config, Names, Precision, Seed
from genmem.training.rejection.options import Mode, SearchKind, check_search, check_tau

if TYPE_CHECKING:
    from genmem.results import Json

Z_CHUNK = 20
"""Numbers of z that BigGAN's first layer and each of its blocks take."""

REJECTION_FIELDS = (
    "mode",
    "backbone",
    "search",
    "half",
    "max_tries",
    "warm_up",
    "ramp",
    "reject_flips",
    "reject_by_class",
)
"""Settings that have no effect without a τ."""

EVALUATION_FIELDS = ("test", "samples", "evaluate_with", "evaluate_every")
"""Settings that have no effect where nothing is evaluated."""

RESUMABLE_FIELDS = (
    "train",
    "test",
    "steps",
    "log_every",
    "save_every",
    "sample_every",
    "evaluate_every",
    "samples",
    "evaluate_with",
)
"""Settings that may differ when a run is resumed: they do not change its steps. (The training
images are compared by their content.)"""


def _checked_tau(tau: Any) -> Any:
    if tau is not None:
        check_tau(tau)
    return tau


Tau = Annotated[float | Literal["auto"] | None, BeforeValidator(_checked_tau)]


class GanConfig(Config):
    """Configuration of one GAN training. The model decides what is not given (see `model_values`).

    Example:
        >>> config = GanConfig(model="sagan", train="train.zip", tau=0.1)
        >>> config.width, config.z_dim
        (256, 128)
    """

    model: Literal["dcgan", "sagan", "biggan"] = Field(
        description="GAN architecture. dcgan is unconditional."
    )
    train: str = Field(
        description="Training images. The first folder level at which they differ gives their "
        "classes.",
        json_schema_extra={"source": True},
    )
    test: str | None = Field(
        default=None,
        description="Held-out images to evaluate FD and C_T on. [default: none]",
        json_schema_extra={"source": True},
    )
    size: Literal[16, 32, 64] = Field(
        default=32,
        description="Crop images to their central square and resize them to this many pixels a "
        "side.",
    )
    limit: int | None = Field(
        default=None,
        ge=2,
        description="Train on this many images, balanced over classes. [default: all]",
    )
    width: int = Field(
        ge=1,
        le=LARGEST_WIDTH,
        description="Channels of the generator; at 64 × 64, those of its narrowest block. "
        "[default: dcgan 64, sagan 256, biggan 384]",
    )
    discriminator_width: int = Field(
        ge=1,
        le=LARGEST_WIDTH,
        description="Channels of the discriminator. [default: in proportion to --width]",
    )
    z_dim: int = Field(
        ge=1,
        le=LARGEST_WIDTH,
        description="Dimension of the noise vector. [default: 128; biggan 80 at 32 × 32]",
    )
    self_attention: bool = Field(
        default=True, description="Use self-attention at half the image's side (never in dcgan)."
    )
    batch_size: int = Field(default=64, ge=2, le=16_384, description="Global batch size.")
    discriminator_steps: int = Field(
        default=5, ge=1, description="Discriminator steps for each generator step."
    )
    steps: int = Field(default=100_000, ge=1, description="Generator steps in total.")
    learning_rate: float = Field(
        default=2e-4, gt=0, lt=1, description="Adam's learning rate, of both networks."
    )
    beta1: float = Field(default=0.5, ge=0, lt=1, description="Adam's beta1.")
    beta2: float = Field(default=0.999, ge=0, lt=1, description="Adam's beta2.")
    adam_eps: float = Field(default=1e-6, gt=0, lt=1, description="Adam's epsilon.")
    ema_decay: float = Field(
        default=0.0,
        ge=0,
        lt=1,
        description="Decay of the averaged weights per step; 0 for the latest weights. "
        "[default: biggan 0.9999, others 0]",
    )
    ema_start: int = Field(
        default=1_000, ge=0, description="Step at which the averaging of weights begins."
    )
    flips: bool = Field(default=True, description="Mirror half of the training images.")
    augment: bool = Field(
        default=False, description="Apply DiffAugment to real and generated images."
    )
    precision: Precision = Field(
        default="full", description="Floating-point precision; bf16 and fp16 are mixed precision."
    )
    seed: Seed = Field(default=0, description="Random seed.")
    tau: Tau = Field(
        default=None,
        description="Reject generated images within this distance of a training image. auto takes "
        "the mean leave-one-out distance of the training images. [default: reject nothing]",
        json_schema_extra={"metavar": "T|auto"},
    )
    mode: Mode = Field(
        default="filter",
        description="What to do with rejected images: drop them, or draw new ones.",
    )
    backbone: str = Field(
        default="efficientnet-lite0",
        description="Backbone for rejection, with an optional input side. "
        "The paper uses inception.",
        json_schema_extra={"metavar": "NAME[@SIDE]", "own_help": True},
    )
    search: SearchKind = Field(
        default="auto", description="Nearest-neighbor search used by rejection."
    )
    half: bool = Field(default=False, description="Compute rejection features in half precision.")
    max_tries: int = Field(
        default=20, ge=1, description="Draws per step before rejection gives up."
    )
    warm_up: int = Field(default=0, ge=0, description="Steps before rejection begins.")
    ramp: int = Field(
        default=0,
        ge=0,
        description="Generator steps, after the warm-up, over which tau rises from 0 to its value.",
    )
    reject_flips: bool = Field(default=False, description="Reject mirrored copies too.")
    reject_by_class: bool = Field(
        default=False, description="Compare only with training images of the same class."
    )
    log_every: int = Field(default=50, ge=0, description="Steps between log lines; 0 for never.")
    save_every: int = Field(
        default=1_000, ge=0, description="Steps between checkpoints; 0 for the end only."
    )
    sample_every: int = Field(
        default=1_000, ge=0, description="Steps between sample grids; 0 for never."
    )
    evaluate_every: int = Field(
        default=5_000, ge=0, description="Steps between evaluations; 0 for never."
    )
    samples: int = Field(
        default=10_000,
        ge=2,
        description="Images to generate for each evaluation.",
        json_schema_extra={"own_help": True},
    )
    evaluate_with: Names = Field(
        default=("efficientnet-lite0",),
        description="Backbones to evaluate samples in; none for no evaluation.",
    )

    @model_validator(mode="before")
    @classmethod
    def _fill_in_model_values(cls, values: dict[str, Any]) -> dict[str, Any]:
        decided = model_values(values.get("model"), values.get("size", 32))
        width = values.get("width")
        if decided and type(width) is int:
            scale = decided["discriminator_width"] / decided["width"]
            decided["discriminator_width"] = max(1, round(width * scale))
        return decided | values

    @model_validator(mode="after")
    def _check_together(self) -> Self:
        check_search(self.search, by_class=self.tau is not None and self.reject_by_class)
        if len(set(self.evaluate_with)) < len(self.evaluate_with):
            raise UsageError("evaluate_with: a backbone is named twice.")
        if "tau" not in self.model_fields_set:
            self._refuse_rejection_fields(self.model_fields_set, option=False)
        return self

    @property
    def evaluates(self) -> bool:
        """Whether samples are evaluated at all."""
        return bool(self.evaluate_every and self.evaluate_with)

    @property
    def knows_classes(self) -> bool:
        """Whether the networks are conditioned on labels."""
        return self.model != "dcgan"

    def check_options(self, options: Mapping[str, Any]) -> None:
        """Refuse command-line options that have no effect.

        Args:
            options: what was given with the command, by field; other fields come from a file.

        Raises:
            UsageError: an option of rejection without a τ, or of an evaluation that never comes.
        """
        if self.tau is None:
            self._refuse_rejection_fields(options, option=True)
        if self.evaluates:
            return
        why = "evaluate_every is 0" if not self.evaluate_every else "evaluate_with is none"
        for name in EVALUATION_FIELDS:
            switch = name in ("evaluate_every", "evaluate_with")
            if name in options and (options[name] or not switch):
                raise UsageError(
                    f"{_flag(name)}: has no effect, since {why}: nothing is evaluated. Change "
                    "that, or leave the option out."
                )

    def _refuse_rejection_fields(self, names: Collection[str], *, option: bool) -> None:
        for name in REJECTION_FIELDS:
            if name in names:
                raise UsageError(
                    f"{_flag(name) if option else name}: has no effect without a tau. Give --tau "
                    "(auto, or a distance) too, or leave it out."
                )


def _flag(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def model_values(model: object, size: object) -> dict[str, Any]:
    """What a model decides at a side of images; nothing for an unknown model or size."""
    if model not in ("dcgan", "sagan", "biggan") or size not in (16, 32, 64):
        return {}
    assert isinstance(size, int)
    width = {"dcgan": 64, "sagan": 256, "biggan": 384}[str(model)] if size <= 32 else 64
    values: dict[str, Any] = {"width": width, "discriminator_width": width, "z_dim": 128}
    if model == "dcgan":
        return values | {"self_attention": False}
    if size <= 32:
        values["discriminator_width"] = width // 2
    if model == "biggan":
        values["z_dim"] = Z_CHUNK * (size.bit_length() - 2)  # 4 chunks at 32 × 32
        values["ema_decay"] = 0.9999
    return values


def resumed_config(config: GanConfig, options: Mapping[str, Any]) -> GanConfig:
    """The configuration of a run that is resumed, with what may differ as given now.

    Args:
        config: of the run.
        options: values by field; those that may differ are in `RESUMABLE_FIELDS`.

    Raises:
        UsageError: an option would make it another training.
    """
    for name, value in options.items():
        value = tuple(value) if isinstance(value, list) else value
        if name not in RESUMABLE_FIELDS and getattr(config, name, value) != value:
            raise UsageError(
                f"--resume continues with {name} = {getattr(config, name)!r}, got {value!r}. Leave "
                "it out, or start another run in another folder."
            )
    return config.replace(**options)


def training_values(values: Mapping[str, Any]) -> dict[str, Json]:
    """The values of a configuration that decide a run's steps."""
    return {name: value for name, value in values.items() if name not in RESUMABLE_FIELDS}
