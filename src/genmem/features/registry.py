"""The registry of backbones: genmem's own, and those that other packages add."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from pathlib import Path

from genmem import plugins
from genmem.errors import UsageError
from genmem.features import custom_models, efficientnet_lite, inception, pixels, timm_models
from genmem.features.backbone import Backbone

GROUP = "genmem.backbones"
"""The group of the entry points by which other packages add backbones (`genmem.plugins`)."""

BACKBONES = {
    backbone.name: backbone
    for backbone in (
        inception.BACKBONE,
        *efficientnet_lite.BACKBONES,
        *timm_models.BACKBONES,
        pixels.BACKBONE,
    )
}
"""genmem's own backbones, in reading order. A new one is a `Backbone` in a file, and a line."""


@dataclass(frozen=True, kw_only=True)
class WeightsStatus:
    """Whether a backbone works now (`ready`), and where its weights are or come from."""

    ready: bool
    where: str


def backbones() -> list[Backbone]:
    """All named backbones, in reading order; those of other packages come last."""
    return list(_registry().values())


def find_backbone(name: str) -> Backbone:
    """Find a backbone: one of `backbones`, `timm:NAME`, or an .onnx or TorchScript file.

    Raises:
        UsageError: there is none; the message lists similar names.
    """
    if name in _registry():
        return _registry()[name]
    if name.startswith("timm:"):
        return timm_models.timm_backbone(name.removeprefix("timm:"))
    if Path(name).suffix in custom_models.SUFFIXES:
        return custom_models.load_custom_backbone(Path(name))
    similar = difflib.get_close_matches(name, _registry(), n=3)
    hint = f"did you mean {' or '.join(similar)}? " if similar else ""
    raise UsageError(
        f"unknown backbone {name!r}: {hint}Known are {', '.join(_registry())}, timm:NAME, and the "
        f"path of a {', '.join(custom_models.SUFFIXES)} file."
    )


def is_registered(backbone: Backbone) -> bool:
    """Whether `find_backbone` finds this very entry by its name."""
    return _registry().get(backbone.name) is backbone


def _registry() -> dict[str, Backbone]:
    return plugins.extend(BACKBONES, group=GROUP, kind=Backbone)


def weights_status(backbone: Backbone) -> WeightsStatus:
    """Whether the weights file is on this machine; its hash is not checked."""
    if backbone.weights is None:
        return WeightsStatus(ready=True, where="no weights needed")
    candidate = backbone.weights.find()
    if candidate is not None:
        return WeightsStatus(ready=True, where=candidate.origin)
    return WeightsStatus(ready=False, where=backbone.weights_from)
