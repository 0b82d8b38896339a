"""The registry of factors, and the configuration of a trial that they change.

The factors are those of "On Memorization in Diffusion Models" (arXiv 2310.02664), without the size
of the training set, which every study varies. To add one, write a function that changes a
configuration and give it an entry in `FACTORS`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from genmem.errors import InputError, UsageError
from genmem.io.documents import Document
from genmem.training.common.config import read_config
from genmem.training.diffusion.config import DEFAULT_ATTENTION, DiffusionConfig

DEFAULT_SIDE = 32
"""Side of the images, where neither file nor option gives it."""

DEFAULT_SAMPLES = 10_000
"""Images generated from every snapshot, as in the paper."""


def _default_training() -> DiffusionConfig:
    return DiffusionConfig(samples=DEFAULT_SAMPLES)


@dataclass(frozen=True, kw_only=True)
class TrialConfig(Document):
    """All of a training but its seed and the size of its training set.

    Attributes:
        training: network and optimization; `seed` and the network's `classes` are set later.
        classes: how many of the data's classes are used, drawn by the seed; None: all images.
        second_share: the share of training images that come from a second source, in [0, 1].
    """

    training: DiffusionConfig = field(default_factory=_default_training)
    classes: int | None = None
    second_share: float = 0.0

    def __post_init__(self) -> None:
        if self.classes is not None and self.classes < 1:
            raise UsageError(f"classes: expected at least 1, got {self.classes}.")
        if not 0 <= self.second_share <= 1:
            raise UsageError(f"diversity: expected a share in [0, 1], got {self.second_share}.")
        if self.training.samples < 1:
            raise UsageError(
                "samples: expected at least 1 image a snapshot, to measure the memorization ratio, "
                f"got {self.training.samples}."
            )

    @property
    def side(self) -> int:
        """Height and width of the images."""
        return self.training.network.image_size

    def with_training(self, **changes: Any) -> TrialConfig:
        """The configuration with other values of the training.

        Raises:
            UsageError: a value that cannot be.
        """
        return replace(self, training=self.training.replace(**changes))

    def with_network(self, **changes: Any) -> TrialConfig:
        """The configuration with other values of the network.

        Raises:
            UsageError: a value that cannot be.
        """
        return self.with_training(network=self.training.network.replace(**changes))


def build_config(file: Path | None, options: Mapping[str, Any]) -> TrialConfig:
    """A trial's configuration from options, a file and the paper's values, in this order.

    Args:
        file: JSON of a `DiffusionConfig`, some or all of its fields, with the network's under
            "network"; a run's config.json is one.
        options: `size` and `channels` of the network, and fields of the training by name; None
            where an option was not given.

    Raises:
        InputError: the file cannot be read, names an unknown field, or gives one a value of
            another type.
        UsageError: a value that cannot be; attention at a resolution that the network does not
            have.
    """
    training = {name: value for name, value in options.items() if value is not None}
    network = {
        field: training.pop(name)
        for name, field in {"size": "image_size", "channels": "channels"}.items()
        if name in training
    }
    if "epochs" in training:
        training.setdefault("steps", None)
    config = _read_training(file, network.get("image_size"))
    config = config.replace(network=config.network.replace(**network), **training)
    if config.network.attention != DEFAULT_ATTENTION:
        config.network.check_attention()
    return TrialConfig(training=config)


def _read_training(file: Path | None, side: int | None) -> DiffusionConfig:
    """The fields of a file over those of the paper, for images of a side (None: the file's)."""
    values: dict[str, Any] = {"samples": DEFAULT_SAMPLES}
    values |= {} if file is None else read_config(file)
    network = values.get("network", {})
    if not isinstance(network, dict):
        raise InputError(f"{file}: network: expected an object of settings by name.")
    image_size = {} if side is None else {"image_size": side}
    values["network"] = {"image_size": DEFAULT_SIDE} | network | image_size
    try:
        return DiffusionConfig(**values)
    except UsageError as error:
        raise error if file is None else InputError(f"{file}: {error}") from error


@dataclass(frozen=True, kw_only=True)
class Factor:
    """Something of a training that a study varies.

    Attributes:
        title: for headings.
        meaning: what its values are.
        values: how they are written on the command line.
        apply: sets it in a configuration, from a value as on the command line.
    """

    title: str
    meaning: str
    values: str
    apply: Callable[[TrialConfig, str], TrialConfig]


def apply_factor(base: TrialConfig, factor: str, value: str) -> TrialConfig:
    """The base with one factor set.

    Args:
        base: the values of all other factors.
        factor: a name in `FACTORS`.
        value: as on the command line.

    Raises:
        UsageError: an unknown factor, or a value that it cannot take.
    """
    if factor not in FACTORS:
        raise UsageError(f"factor: expected one of {', '.join(FACTORS)}, got {factor!r}.")
    return FACTORS[factor].apply(base, value)


def _integer(value: str, factor: str) -> int:
    try:
        return int(value)
    except ValueError as error:
        raise UsageError(f"{factor}: expected whole numbers, got {value!r}.") from error


def _number(value: str, factor: str) -> float:
    try:
        return float(value)
    except ValueError as error:
        raise UsageError(f"{factor}: expected numbers, got {value!r}.") from error


def _keep_skips(base: TrialConfig, value: str) -> TrialConfig:
    """Keep some skip connections, named by resolution or singly (`32`, `16.0`)."""
    skips = base.training.network.skips
    if value == "all":
        return base.with_network(without_skips=())
    names_to_keep = value.split("+")
    known = {name for names in skips.values() for name in names} | {str(side) for side in skips}
    unknown = [name for name in names_to_keep if name not in known and names_to_keep != ["none"]]
    if unknown:
        raise UsageError(
            "skips: expected all, none, or those to keep joined by +, out of "
            f"{', '.join(sorted(known))}; got {unknown[0]!r}."
        )
    removed = tuple(
        name
        for side, names in skips.items()
        for name in names
        if name not in names_to_keep and str(side) not in names_to_keep
    )
    return base.with_network(without_skips=removed)


def _set_time_embedding(base: TrialConfig, value: str) -> TrialConfig:
    if value not in ("positional", "fourier"):
        raise UsageError(f"time-embedding: expected positional or fourier, got {value!r}.")
    return base.with_network(time_embedding=value)


FACTORS: dict[str, Factor] = {
    "dimension": Factor(
        title="Image size",
        meaning="side of the images, in pixels",
        values="SIDE",
        apply=lambda base, value: base.with_network(image_size=_integer(value, "dimension")),
    ),
    "classes": Factor(
        title="Number of classes",
        meaning="classes that the training images are drawn from",
        values="N",
        apply=lambda base, value: replace(base, classes=_integer(value, "classes")),
    ),
    "diversity": Factor(
        title="Diversity",
        meaning="share of the training images from the second source",
        values="SHARE",
        apply=lambda base, value: replace(base, second_share=_number(value, "diversity")),
    ),
    "width": Factor(
        title="Width",
        meaning="channels of the network",
        values="CHANNELS",
        apply=lambda base, value: base.with_network(channels=_integer(value, "width")),
    ),
    "blocks": Factor(
        title="Depth",
        meaning="residual blocks per resolution",
        values="N",
        apply=lambda base, value: base.with_network(blocks=_integer(value, "blocks")),
    ),
    "skips": Factor(
        title="Skip connections",
        meaning="skip connections that are kept",
        values="all, none, or those to keep (8+4.0)",
        apply=_keep_skips,
    ),
    "time-embedding": Factor(
        title="Time embedding",
        meaning="how the noise level is embedded",
        values="positional or fourier",
        apply=_set_time_embedding,
    ),
    "batch": Factor(
        title="Batch size",
        meaning="images per step",
        values="IMAGES",
        apply=lambda base, value: base.with_training(batch_size=_integer(value, "batch")),
    ),
    "weight-decay": Factor(
        title="Weight decay",
        meaning="weight decay",
        values="NUMBER",
        apply=lambda base, value: base.with_training(weight_decay=_number(value, "weight-decay")),
    ),
    "ema": Factor(
        title="Averaged weights",
        meaning="decay of the averaged weights per step",
        values="DECAY",
        apply=lambda base, value: base.with_training(ema_decay=_number(value, "ema")),
    ),
    "labels": Factor(
        title="Conditioning",
        meaning="labels that the network is conditioned on",
        values="none, true, random[:C] or unique",
        apply=lambda base, value: base.with_training(labels=value),
    ),
}
"""The factors by name, as on the command line. Each is varied alone."""

NO_FACTOR = Factor(title="The model", meaning="nothing", values="", apply=lambda base, value: base)
"""Stands for the factor of a study without one."""
