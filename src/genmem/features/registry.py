"""The registry of backbones: genmem's own, and those that other packages add."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from genmem import plugins
from genmem.errors import UsageError
from genmem.features import (
    custom_models,
    efficientnet_lite,
    inception,
    pixels,
    sscd,
    timm_models,
)
from genmem.features.backbone import Backbone
from genmem.features.sides import backbone_at_side
from genmem.io.paths import expand_home


class LoadedBackbone(Protocol):
    """What `load_backbone` gives: a backbone with its engine."""

    backbone: Backbone


BackboneLike = str | Path | Backbone | LoadedBackbone | Callable[..., Any]
"""What names or is a backbone: see `find_backbone`."""

Backbones = BackboneLike | Sequence[BackboneLike]
"""One backbone, or several in a list or tuple."""

GROUP = "genmem.backbones"
"""The group of the entry points by which other packages add backbones (`genmem.plugins`)."""

BACKBONES = {
    backbone.name: backbone
    for backbone in (
        inception.BACKBONE,
        inception.CLEAN,
        inception.PYTORCH_FID,
        inception.SPATIAL,
        *efficientnet_lite.BACKBONES,
        *timm_models.BACKBONES,
        timm_models.VGG16_STRETCHED,
        *sscd.BACKBONES,
        pixels.BACKBONE,
        pixels.STRETCHED,
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


def find_backbone(backbone: BackboneLike) -> Backbone:
    """Find a backbone by its name, or describe the one that a file, module or callable is.

    Args:
        backbone: one of `backbones`, `timm:NAME`, either of them at another input size
            (`NAME@SIDE`), a custom file, module or callable with the defaults of
            `custom_backbone`, a `Backbone`, which is returned, or what `load_backbone` gave.

    Raises:
        UsageError: there is none (the message lists similar names), or not at this size.
    """
    if isinstance(backbone, Backbone):
        return backbone
    if _is_loaded(backbone):
        return backbone.backbone  # pyright: ignore
    if not isinstance(backbone, str):
        return custom_backbone(backbone)  # pyright: ignore[reportArgumentType]
    if backbone in _registry():
        return _registry()[backbone]
    if Path(backbone).suffix in custom_models.SUFFIXES:
        return custom_backbone(backbone)  # an @ is part of the file's path
    name, at, side = backbone.rpartition("@")
    if at:
        return backbone_at_side(find_backbone(name), side)
    if backbone.startswith("timm:"):
        return timm_models.timm_backbone(backbone.removeprefix("timm:"))
    similar = difflib.get_close_matches(backbone, _registry(), n=3)
    if similar:
        raise UsageError(
            f"unknown backbone {backbone!r}: did you mean {' or '.join(similar)}? `genmem "
            "backbones` lists all. Several backbones are a list."
        )
    raise UsageError(
        f"unknown backbone {backbone!r}: Known are {', '.join(_registry())}, timm:NAME, "
        f"NAME@SIDE, and the path of a {', '.join(custom_models.SUFFIXES)} file."
    )


def list_backbones(backbone: Backbones) -> list[BackboneLike]:
    """One or several backbones as a list.

    Raises:
        UsageError: there is none, or two have one name.
    """
    several = isinstance(backbone, Sequence) and not isinstance(backbone, str)
    listed: list[Any] = list(backbone) if several else [backbone]  # pyright: ignore[reportArgumentType]
    names = [find_backbone(one).name for one in listed]
    if not names or len(set(names)) < len(names):
        raise UsageError(
            "backbone: expected one, or several of different names in a list, got "
            f"{', '.join(names) or 'none'}."
        )
    return listed


def find_backbones(
    backbone: Backbones, *, weights: str | Path | None
) -> list[Backbone | LoadedBackbone]:
    """The backbones of one call, found before any work is done.

    Args:
        backbone: one or several: names, files, modules, callables, `Backbone`s, or what
            `load_backbone` gave, which stays what it is.
        weights: the weights file that was given, for one backbone.

    Raises:
        UsageError: a backbone is unknown, two have one name, none is given, or a weights file is
            given for several.
    """
    listed = list_backbones(backbone)
    if weights is not None and len(listed) > 1:
        raise UsageError("a weights file belongs to one backbone; name only one.")
    return [one if _is_loaded(one) else find_backbone(one) for one in listed]  # pyright: ignore[reportReturnType]


def _is_loaded(backbone: object) -> bool:
    """Whether it is what `load_backbone` gave."""
    return isinstance(getattr(backbone, "backbone", None), Backbone)


def is_registered(backbone: Backbone) -> bool:
    """Whether `find_backbone` finds this very entry by its name."""
    return _registry().get(backbone.name) is backbone


def custom_backbone(
    network: str | Path | Callable[..., Any],
    *,
    preprocess: str | None = None,
    name: str | None = None,
) -> Backbone:
    """Describe a network of your own, to be given as `backbone=`.

    The network takes RGB images, torch [b, 3, H, W], and gives features [b, d], or a tuple that
    begins with them. It runs without gradients, a module in evaluation mode and on the device that
    it is on. A file is .onnx, TorchScript, or what `torch.export.save` wrote; nothing is unpickled.

    Features of a file are cached under its hash. Those of a module or callable are cached only
    under a `name`, together with the hash of a module's weights: change the name when the code
    changes.

    Args:
        network: the path of a file, a torch module, or another callable.
        preprocess: what the network is given: SCALE or SCALE,SIZE, such as "imagenet,288". SCALE
            is uint8 (0–255), unit (float32 in 0–1), symmetric (−1–1), imagenet or clip (their mean
            and std). SIZE is 288 (the shorter side, in pixels) or 288x288. None: uint8 images of
            their own size; an ONNX file of a fixed size gets images stretched to it.
        name: of a module or callable, for cache keys and results; None: the name of the class or
            function, and no cache. A file is named by itself.

    Raises:
        UsageError: the file is missing or no network, `preprocess` is not understood, or the name
            is that of another backbone.

    Example:
        >>> import numpy as np
        >>> import genmem
        >>> def thumbnails(images):
        ...     return images.float().mean(dim=(2, 3))
        >>> images = np.random.default_rng(0).integers(0, 256, (9, 8, 8, 3), dtype=np.uint8)
        >>> extractor = genmem.load_backbone(genmem.custom_backbone(thumbnails, preprocess="unit"))
        >>> with genmem.open_images(images) as source:
        ...     genmem.extract(source, extractor=extractor).array.shape
        (9, 3)
    """
    if isinstance(network, str | Path):
        if name is not None:
            raise UsageError("name: a file is named by itself; leave the name out.")
        return custom_models.backbone_of_file(expand_home(network), preprocess)
    if not callable(network):
        raise UsageError(
            "backbone: expected a name, the path of a file, a torch module or a callable, got "
            f"{type(network).__name__}."
        )
    if name is not None and (
        not name or name in _registry() or name.startswith("timm:") or pixels.is_pixels(name)
    ):
        raise UsageError(f"name: {name!r} is not free; choose another one.")
    backbone = custom_models.backbone_of_object(network, preprocess, name)
    if backbone.name in _registry():  # a function that is called inception is another network
        return replace(backbone, name=f"{backbone.name} (custom)")
    return backbone


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
