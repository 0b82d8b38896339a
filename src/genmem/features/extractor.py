"""A backbone made ready: weights found and checked, engine open."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from genmem.errors import UsageError, WeightsError
from genmem.features.backbone import Backbone, Device, Engine, FeaturesAndLogits
from genmem.features.engines import open_network_engine
from genmem.features.registry import backbones, find_backbone, weights_status
from genmem.features.weights import Weights, obtain_weights
from genmem.images import Progress

if TYPE_CHECKING:
    import torch


class FeatureExtractor:
    """Turns images into features. Made by `load_backbone`.

    Attributes:
        backbone: what the catalogue says.
        weights_hash: SHA-256 of the weights file, hex; None for a backbone without weights.
        engine: what runs the network: "onnxruntime cpu", "torch cuda", "numpy", …
        batch_size: images per call at which this engine is fastest.
    """

    def __init__(self, backbone: Backbone, weights: Weights | None, engine: Engine) -> None:
        self.backbone = backbone
        self.weights_hash = weights.sha256 if weights else None
        self.weights_origin = weights.origin if weights else None
        self.engine = engine.name
        self.batch_size = engine.batch_size
        self._engine = engine

    @property
    def dimension(self) -> int | None:
        """Features per image; None until the first batch where only that tells."""
        return self._engine.dimension or self.backbone.dimension

    def transform(self, image: NDArray[np.uint8]) -> NDArray[Any]:
        """One RGB image, uint8 [H, W, 3] → the network's input. Safe in several threads at once."""
        return self.backbone.preprocessing.apply(image)

    def run(self, batch: NDArray[Any]) -> FeaturesAndLogits:
        """Transformed images [b, ...] → features float32 [b, d] and logits [b, c] or None."""
        return self._engine.run(batch)

    def describe(self) -> dict[str, Any]:
        """Name, dimension, preprocessing, weights and engine, as JSON values for provenance."""
        return {
            "name": self.backbone.name,
            "dimension": self.dimension,
            "preprocessing": self.backbone.preprocessing.name,
            "weights_sha256": self.weights_hash,
            "weights_from": self.weights_origin,
            "engine": self.engine,
            **({"note": self._engine.note} if self._engine.note else {}),
        }


def _weights_of(
    backbone: Backbone, given: str | Path | None, progress: Progress | None
) -> Weights | None:
    """The weights of a backbone, or an error that also names the backbones that work now."""
    if backbone.weights is None:
        if given is not None:
            raise UsageError(f"{backbone.name} has no weights to be given: leave --weights out")
        return None
    try:
        return obtain_weights(
            backbone.weights, backbone=backbone.name, given=given, progress=progress
        )
    except WeightsError as error:
        working = ", ".join(entry.name for entry in backbones() if weights_status(entry).ready)
        raise WeightsError(f"{error} Backbones that work right now: {working}.") from error


def load_backbone(
    name: str | Backbone,
    *,
    weights: str | Path | None = None,
    device: Device = "auto",
    progress: Progress | None = None,
) -> FeatureExtractor:
    """Make a backbone ready to turn images into features.

    Args:
        name: a name of the catalogue, `timm:NAME`, or the path of an .onnx or TorchScript file.
        weights: the weights file to use instead of looking for one.
        device: "auto" takes CUDA, else MPS, else the CPU.
        progress: told about downloads.

    Raises:
        UsageError: the name is unknown, or the device is not there.
        WeightsError: the weights are missing and not obtainable, or not this backbone's.
    """
    backbone = find_backbone(name) if isinstance(name, str) else name
    found = _weights_of(backbone, weights, progress)
    path, sha256 = (found.path, found.sha256) if found else (None, None)
    open_engine = backbone.open_engine or open_network_engine
    return FeatureExtractor(backbone, found, open_engine(backbone, path, sha256, device))


def torch_module(name: str | Backbone, *, weights: str | Path | None = None) -> torch.nn.Module:
    """A backbone as one torch module, for training loops.

    It takes uint8 RGB [b, 3, H, W], all images of one size, on the device it was moved to, and
    gives features float32 [b, d]. Preprocessing happens on that device; where Pillow does it
    elsewhere, pixels differ by one or two of 255 from `extract`'s. Frozen, in evaluation mode.

    Raises:
        UsageError: the name is unknown, or is a file that is no torch module.
        WeightsError: as for `load_backbone`.
    """
    from genmem.features.torch_modules import TorchBackbone

    backbone = find_backbone(name) if isinstance(name, str) else name
    found = _weights_of(backbone, weights, None)
    if backbone.network is None:
        if found is not None:
            raise UsageError(f"{backbone.name} cannot be run by torch: it is an ONNX file")
        return TorchBackbone(backbone.preprocessing.apply_tensor, None).eval()
    if found is None:
        raise UsageError(f"{backbone.name} has a network but no weights")
    return TorchBackbone(backbone.preprocessing.apply_tensor, backbone.network(found.path)).eval()
