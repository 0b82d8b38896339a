"""The configuration that a file of settings and a few options name."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from genmem.errors import InputError, UsageError
from genmem.training.diffusion.settings import TrainingSettings, settings_from
from genmem.training.diffusion.unet_settings import UNetSettings
from genmem.training.emm.factors import Configuration, vary
from genmem.training.kinds import check_kind, kinds_of

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
