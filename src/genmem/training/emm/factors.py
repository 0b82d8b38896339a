"""The factors of "On Memorization in Diffusion Models", each as one change to what is trained."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from genmem.errors import InputError, UsageError
from genmem.results import Json, to_json
from genmem.training.common.config import read_config
from genmem.training.diffusion.config import DEFAULT_ATTENTION, DiffusionConfig

SIZE = 32
"""Side of the images, where neither file nor option says it."""

_OF_THE_NETWORK = {"size": "image_size", "channels": "channels"}


def configuration(
    file: Path | None, options: Mapping[str, int | None], *, labels: str | None = None
) -> Configuration:
    """Options before the file before the paper's settings.

    Args:
        file: JSON of `DiffusionConfig` by name, some or all, as the config.json of a run.
        options: `size` and `channels` of the network, and whole numbers of the training by name;
            None where an option was not given.
        labels: none, true, random, random:C or unique.

    Raises:
        InputError: the file cannot be read, names a setting that there is not, or gives one a value
            of another type.
        UsageError: a value that cannot be; attention at a resolution that there is not.
    """
    given: dict[str, Any] = {name: value for name, value in options.items() if value is not None}
    network = {field: given.pop(name) for name, field in _OF_THE_NETWORK.items() if name in given}
    training = _read(file, network.get("image_size"))
    if "epochs" in given:
        given.setdefault("steps", None)
    training = training.replace(network=training.network.replace(**network), **given)
    if training.network.attention != DEFAULT_ATTENTION:
        training.network.check_attention()
    base = replace(Configuration(), training=training)
    return base if labels is None else vary(base, "labels", labels)


def _read(file: Path | None, size: int | None) -> DiffusionConfig:
    """The settings of a file over those of the paper, for images of a side (None: the file's)."""
    values: dict[str, Any] = {"samples": SAMPLES} | ({} if file is None else read_config(file))
    network = values.get("network", {})
    if isinstance(network, dict):
        side = {} if size is None else {"image_size": size}
        values["network"] = {"image_size": SIZE} | network | side
    try:
        return DiffusionConfig(**values)
    except UsageError as error:
        raise error if file is None else InputError(f"{file}: {error}") from error


SAMPLES = 10_000
"""Images drawn from every snapshot, as in the paper."""


@dataclass(frozen=True, kw_only=True)
class Configuration:
    """All of a training but its seed and the size of its training set.

    Attributes:
        training: network and optimization; `seed` and the network's `classes` are set later.
        classes: how many of the data's classes are used, drawn by the seed; None: all images.
        second_share: the share of training images that come from a second source, in [0, 1].
    """

    training: DiffusionConfig = field(default_factory=lambda: DiffusionConfig(samples=SAMPLES))
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
    def size(self) -> int:
        """Side of the images."""
        return self.training.network.image_size

    def to_dict(self) -> dict[str, Json]:
        """As plain JSON; `configuration_from` reads it."""
        return to_json({**asdict(self), "training": self.training.to_dict()})


def configuration_from(document: dict[str, Any]) -> Configuration:
    """The configuration that `to_dict` wrote."""
    return Configuration(
        training=DiffusionConfig(**document["training"]),
        classes=document["classes"],
        second_share=document["second_share"],
    )


def vary(base: Configuration, factor: str, value: str) -> Configuration:
    """The base with one factor set.

    Args:
        base: where all other factors stand.
        factor: a name in `FACTORS`.
        value: as on the command line.

    Raises:
        UsageError: an unknown factor, or a value that it cannot take.
    """
    if factor not in FACTORS:
        raise UsageError(f"factor: expected one of {', '.join(FACTORS)}, got {factor!r}.")
    return FACTORS[factor](base, value)


def _number(value: str, factor: str, kind: type[int] | type[float]) -> Any:
    try:
        return kind(value)
    except ValueError as error:
        what = "whole numbers" if kind is int else "numbers"
        raise UsageError(f"{factor}: expected {what}, got {value!r}.") from error


def _network(name: str, factor: str) -> Callable[[Configuration, str], Configuration]:
    def change(base: Configuration, value: str) -> Configuration:
        network = base.training.network.replace(**{name: _number(value, factor, int)})
        return replace(base, training=base.training.replace(network=network))

    return change


def _training(
    name: str, factor: str, kind: type[int] | type[float]
) -> Callable[[Configuration, str], Configuration]:
    def change(base: Configuration, value: str) -> Configuration:
        training = base.training.replace(**{name: _number(value, factor, kind)})
        return replace(base, training=training)

    return change


def _classes(base: Configuration, value: str) -> Configuration:
    return replace(base, classes=_number(value, "classes", int))


def _diversity(base: Configuration, value: str) -> Configuration:
    return replace(base, second_share=_number(value, "diversity", float))


def _skips(base: Configuration, value: str) -> Configuration:
    network = base.training.network
    off = () if value == "all" else _without(network.skips, value.split("+"))
    return replace(base, training=base.training.replace(network=network.replace(without_skips=off)))


def _without(skips: dict[int, tuple[str, ...]], kept: Sequence[str]) -> tuple[str, ...]:
    """All skip connections but the kept ones, which are named by resolution or singly."""
    known = {name for names in skips.values() for name in names} | {str(side) for side in skips}
    unknown = [name for name in kept if name not in known and kept != ["none"]]
    if unknown:
        raise UsageError(
            "skips: expected all, none, or those to keep joined by +, out of "
            f"{', '.join(sorted(known))}; got {unknown[0]!r}."
        )
    return tuple(
        name
        for side, names in skips.items()
        for name in names
        if name not in kept and str(side) not in kept
    )


def _time_embedding(base: Configuration, value: str) -> Configuration:
    if value not in ("positional", "fourier"):
        raise UsageError(f"time-embedding: expected positional or fourier, got {value!r}.")
    network = base.training.network.replace(time_embedding=value)
    return replace(base, training=base.training.replace(network=network))


def _labels(base: Configuration, value: str) -> Configuration:
    return replace(base, training=base.training.replace(labels=value))


FACTORS: dict[str, Callable[[Configuration, str], Configuration]] = {
    "dimension": _network("image_size", "dimension"),
    "classes": _classes,
    "diversity": _diversity,
    "width": _network("channels", "width"),
    "blocks": _network("blocks", "blocks"),
    "skips": _skips,
    "time-embedding": _time_embedding,
    "batch": _training("batch_size", "batch", int),
    "weight-decay": _training("weight_decay", "weight-decay", float),
    "ema": _training("ema_decay", "ema", float),
    "labels": _labels,
}
"""By name: side of the images; number of classes; share of a second source; width; residual blocks
a resolution; which skip connections are kept; how the noise level is told; images a step; weight
decay; decay of the averaged weights; what the network is told of an image. The other factor of the
paper, the size of the training set, is what every study varies."""
