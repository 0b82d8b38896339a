"""What the options of `genmem train diffusion` mean, and what a run to be resumed says instead."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from genmem.training.diffusion.config import Labels, TrainingSettings, UNetSettings


def saved(out: Path) -> tuple[dict[str, Any], Callable[[int], TrainingSettings]]:
    """Where a run's images came from, and its settings.

    Raises:
        InputError: no run that the command began, or its settings.json is damaged.
    """
    from genmem.errors import InputError
    from genmem.training.diffusion import run_folder

    document = run_folder.read_settings(out)
    source: dict[str, Any] = document["source"]
    if "source" not in source or source.keys() - run_folder.OF_THE_SOURCE.keys():
        raise InputError(f"{out}: was not begun by genmem train diffusion; resume it in Python.")
    settings = run_folder.settings_in(document, str(out / run_folder.SETTINGS))
    run_folder.check_source(source, str(out / run_folder.SETTINGS))
    return source, lambda side: settings


def parse_labels(text: str) -> tuple[Labels, int]:
    """The kind of labels, and how many random ones.

    Raises:
        UsageError: the option names none.
    """
    from genmem.training.diffusion.config import TrainingSettings, labels_from

    kind, classes = labels_from(text)
    return kind, TrainingSettings.random_classes if classes is None else classes


def parse_sides(attention: str | None) -> tuple[int, ...]:
    """The resolutions with attention that the option names; its default where it was not given."""
    from genmem.cli.training import whole_numbers
    from genmem.training.diffusion.config import UNetSettings

    if attention is None:
        return UNetSettings.attention
    return () if attention == "none" else whole_numbers(attention, option="--attention")


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

    from genmem.training.diffusion.config import UNetSettings, ncsnpp

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
