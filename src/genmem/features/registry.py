"""The list of backbones, and finding one by name."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from pathlib import Path

from genmem.errors import UsageError
from genmem.features import custom_models, efficientnet_lite, inception, pixels, timm_models
from genmem.features.backbone import Backbone

_ENTRIES = (
    inception.BACKBONE,
    *efficientnet_lite.BACKBONES,
    *timm_models.BACKBONES,
    pixels.BACKBONE,
)


@dataclass(frozen=True, kw_only=True)
class WeightsStatus:
    """Whether a backbone works now: `ready`, and where its weights are or come from."""

    ready: bool
    where: str


def backbones() -> list[Backbone]:
    """All named backbones, in reading order."""
    return list(_ENTRIES)


def find_backbone(name: str) -> Backbone:
    """The backbone of this name: a catalogue entry, `timm:NAME`, or an .onnx or TorchScript file.

    Raises:
        UsageError: there is none; the message lists near names.
    """
    for entry in _ENTRIES:
        if entry.name == name:
            return entry
    if name.startswith("timm:"):
        return timm_models.timm_backbone(name.removeprefix("timm:"))
    if Path(name).suffix in custom_models.SUFFIXES:
        return custom_models.load_custom_backbone(Path(name))
    names = [entry.name for entry in _ENTRIES]
    near = difflib.get_close_matches(name, names, n=3)
    hint = f"did you mean {' or '.join(near)}? " if near else ""
    raise UsageError(
        f"unknown backbone {name!r}: {hint}Known are {', '.join(names)}, timm:NAME, and the path "
        f"of a {', '.join(custom_models.SUFFIXES)} file"
    )


def weights_status(backbone: Backbone) -> WeightsStatus:
    """Whether the weights are on this machine, by looking for the file; hashes are not checked."""
    if backbone.weights is None:
        return WeightsStatus(ready=True, where="no weights needed")
    found = backbone.weights.find()
    if found is not None:
        return WeightsStatus(ready=True, where=found[1])
    return WeightsStatus(ready=False, where=backbone.weights_from)
