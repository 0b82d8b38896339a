"""What the options of `genmem train diffusion` mean, and what a run to be resumed says instead."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from genmem.training.diffusion.settings import Labels, TrainingSettings
    from genmem.training.diffusion.unet import UNetSettings

OF_THE_SOURCE = {
    "source": "a text",
    "size": "a number or null",
    "count": "a number or null",
    "seed": "a number",
    "classes": "true or false",
    "only": "a list of texts",
    "without_duplicates": "true or false",
    "skip_broken": "true or false",
}
"""What a run's settings.json says of where its images came from: the arguments that load them."""


def saved(out: Path) -> tuple[dict[str, Any], Callable[[int], TrainingSettings]]:
    """Where a run's images came from, and its settings.

    Raises:
        InputError: no run that the command began, or its settings.json is damaged.
    """
    from genmem.errors import InputError
    from genmem.training.diffusion import runs
    from genmem.training.diffusion.settings import settings_from

    document = runs.read_settings(out)
    if not document.get("source"):
        raise InputError(f"{out}: was not begun by genmem train diffusion; resume it in Python.")
    settings = settings_from(document["settings"])
    source: dict[str, Any] = document["source"]
    wrong = [*(source.keys() ^ OF_THE_SOURCE.keys())]
    wrong += [name for name in OF_THE_SOURCE if name in source and not _is_right(name, source)]
    if wrong:
        raise InputError(
            f"{out / runs.SETTINGS}: damaged: expected of the source "
            f"{', '.join(f'{name} ({what})' for name, what in OF_THE_SOURCE.items())}; wrong is "
            f"{wrong[0]!r}. Put the file back, or train anew."
        )
    return source, lambda side: settings


def _is_right(name: str, source: dict[str, Any]) -> bool:
    """Whether a value of the source is of the type that `OF_THE_SOURCE` names."""
    value = source[name]
    if name == "only":
        return isinstance(value, list) and all(isinstance(one, str) for one in value)
    if name == "source":
        return isinstance(value, str)
    if name in ("size", "count") and value is None:
        return True
    return isinstance(value, int) and isinstance(value, bool) == (
        name not in ("size", "count", "seed")
    )


def parse_labels(text: str) -> tuple[Labels, int]:
    """The kind of labels, and how many random ones.

    Raises:
        UsageError: the option names none.
    """
    from genmem.training.diffusion.settings import TrainingSettings, labels_from

    kind, classes = labels_from(text)
    return kind, TrainingSettings.random_classes if classes is None else classes


def parse_sides(attention: str | None) -> tuple[int, ...]:
    """The resolutions with attention that the option names; its default where it was not given."""
    from genmem.cli.training import whole_numbers
    from genmem.training.diffusion.unet import UNetSettings

    if attention is None:
        return UNetSettings.attention
    return () if attention == "none" else whole_numbers(attention, option="--attention")


def check_sides(network: UNetSettings) -> None:
    """Raise UsageError where attention is asked for at a resolution that there is not."""
    from genmem.errors import UsageError

    for side in network.attention:
        if side not in network.resolutions:
            raise UsageError(
                f"--attention: expected some of {', '.join(map(str, network.resolutions))}, the "
                f"sides of the network's feature maps, or none; got {side}."
            )


def make_network(
    side: int,
    *,
    model: str,
    channels: int,
    multipliers: tuple[int, ...],
    blocks: int,
    attention: tuple[int, ...],
    time_embedding: Literal["positional", "fourier"] | None,
    dropout: float,
    without_skips: tuple[str, ...],
) -> UNetSettings:
    """The network for images of a side; the arguments are the options.

    Raises:
        UsageError: a network that cannot be.
    """
    from dataclasses import replace

    from genmem.training.diffusion.unet import UNetSettings, ncsnpp

    network = UNetSettings(
        image_size=side,
        channels=channels,
        multipliers=multipliers,
        blocks=blocks,
        attention=attention,
        dropout=dropout,
        without_skips=without_skips,
    )
    if model == "ncsn++":
        network = ncsnpp(network)
    return replace(network, time_embedding=time_embedding) if time_embedding else network
