"""The factors of "On Memorization in Diffusion Models", each as one change to what is trained."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from genmem.errors import InputError, UsageError
from genmem.results import Json, to_json
from genmem.training.common.config import check_kind, kinds_of
from genmem.training.diffusion.config import (
    TrainingSettings,
    UNetSettings,
    labels_from,
    settings_from,
)

SIZE = 32
"""Side of the images, where neither file nor option says it."""

_OF_THE_NETWORK = {"size": "image_size", "channels": "channels"}


def configuration(
    file: Path | None, options: Mapping[str, int | None], *, labels: str | None = None
) -> Configuration:
    """Options before the file before the paper's settings.

    Args:
        file: JSON of `TrainingSettings` by name, some or all, with the network's under "network";
            or a run's settings.json.
        options: `size` and `channels` of the network, and whole numbers of the training by name;
            None where an option was not given.
        labels: none, true, random, random:C or unique.

    Raises:
        InputError: the file cannot be read, names a setting that there is not, or gives one a value
            of another type.
        UsageError: a value that cannot be; attention at a resolution that there is not.
    """
    document = Configuration().training.to_dict()
    document["network"]["image_size"] = SIZE
    if file is not None:
        _take(document, _read(file), TrainingSettings, file)
    given = {name: value for name, value in options.items() if value is not None}
    for name, value in given.items():
        if name in _OF_THE_NETWORK:
            document["network"][_OF_THE_NETWORK[name]] = value
        else:
            document[name] = value
    if "epochs" in given and "steps" not in given:
        document["steps"] = None
    training = settings_from(document)
    if training.network.attention != UNetSettings.attention:
        training.network.check_attention()
    base = replace(Configuration(), training=training)
    return base if labels is None else vary(base, "labels", labels)


def _take(document: dict[str, Any], given: Mapping[str, Any], settings: type, file: Path) -> None:
    """Put the file's values into the document, each into its place.

    Args:
        document: of the settings, as JSON.
        given: some of them.
        settings: the class of the settings, which says of what type they are.
        file: for messages.
    """
    kinds = kinds_of(settings)
    for name, value in given.items():
        if name not in document:
            raise InputError(
                f"{file}: there is no setting {name!r}; expected some of {', '.join(document)}."
            )
        if name == "network":
            if not isinstance(value, dict):
                raise InputError(f"{file}: network: expected an object of settings by name.")
            _take(document["network"], value, UNetSettings, file)
        else:
            held = tuple(value) if isinstance(value, list) else value
            try:
                check_kind(f"{file}: {name}", held, kinds[name])
            except UsageError as error:
                raise InputError(str(error)) from error
            document[name] = value


def _read(file: Path) -> dict[str, Any]:
    try:
        found = json.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{file}: cannot be read: {(error.strerror or '').lower()}.") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{file}: not JSON: {error}.") from error
    if not isinstance(found, dict):
        raise InputError(f"{file}: expected an object of settings by name.")
    return found["settings"] if isinstance(found.get("settings"), dict) else found


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

    training: TrainingSettings = field(default_factory=lambda: TrainingSettings(samples=SAMPLES))
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
        return to_json(asdict(self))


def configuration_from(document: dict[str, Any]) -> Configuration:
    """The configuration that `to_dict` wrote."""
    return Configuration(
        training=settings_from(document["training"]),
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
        network = replace(base.training.network, **{name: _number(value, factor, int)})
        return replace(base, training=replace(base.training, network=network))

    return change


def _training(
    name: str, factor: str, kind: type[int] | type[float]
) -> Callable[[Configuration, str], Configuration]:
    def change(base: Configuration, value: str) -> Configuration:
        return replace(
            base, training=replace(base.training, **{name: _number(value, factor, kind)})
        )

    return change


def _classes(base: Configuration, value: str) -> Configuration:
    return replace(base, classes=_number(value, "classes", int))


def _diversity(base: Configuration, value: str) -> Configuration:
    return replace(base, second_share=_number(value, "diversity", float))


def _skips(base: Configuration, value: str) -> Configuration:
    network = base.training.network
    off = () if value == "all" else _without(network.skips, value.split("+"))
    return replace(
        base, training=replace(base.training, network=replace(network, without_skips=off))
    )


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
    network = replace(base.training.network, time_embedding=value)
    return replace(base, training=replace(base.training, network=network))


def _labels(base: Configuration, value: str) -> Configuration:
    kind, classes = labels_from(value)
    classes = base.training.random_classes if classes is None else classes
    return replace(base, training=replace(base.training, labels=kind, random_classes=classes))


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
    "ema": _training("ema", "ema", float),
    "labels": _labels,
}
"""By name: side of the images; number of classes; share of a second source; width; residual blocks
a resolution; which skip connections are kept; how the noise level is told; images a step; weight
decay; decay of the averaged weights; what the network is told of an image. The other factor of the
paper, the size of the training set, is what every study varies."""
