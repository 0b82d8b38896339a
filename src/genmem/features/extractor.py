"""`load_backbone`: finds the weights of a backbone, checks them and opens its engine."""

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
    """Turns images into features. `load_backbone` makes one.

    Attributes:
        backbone: its registry entry.
        weights_hash: SHA-256 of the weights file, hex; None for a backbone without weights.
        weights_origin: where the weights were found; None for a backbone without weights.
        engine: name of what runs the network: "onnxruntime cpu", "torch cuda", "numpy", …
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
        """Features per image; None if unknown until the first batch."""
        return self._engine.dimension or self.backbone.dimension

    def transform(self, image: NDArray[np.uint8]) -> NDArray[Any]:
        """One RGB image, uint8 [H, W, 3] → the network's input. Thread-safe."""
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


def _obtain_weights(
    backbone: Backbone, path: str | Path | None, progress: Progress | None
) -> Weights | None:
    """The weights of a backbone, or an error that also names the backbones that work now."""
    if backbone.weights is None:
        if path is not None:
            raise UsageError(f"{backbone.name} takes no weights: leave --weights out.")
        return None
    try:
        return obtain_weights(
            backbone.weights, backbone=backbone.name, path=path, progress=progress
        )
    except WeightsError as error:
        ready = ", ".join(entry.name for entry in backbones() if weights_status(entry).ready)
        raise WeightsError(f"{error} Backbones that work right now: {ready}.") from error


def load_backbone(
    name: str | Backbone,
    *,
    weights: str | Path | None = None,
    device: Device = "auto",
    progress: Progress | None = None,
) -> FeatureExtractor:
    """Load a backbone, ready to turn images into features.

    Args:
        name: one of `backbones`, `timm:NAME`, or the path of an .onnx or TorchScript file.
        weights: the weights file to use; None: look for the published one, or download it.
        device: where to run; "auto" takes CUDA, else MPS, else the CPU.
        progress: told about downloads.

    Raises:
        UsageError: the name is unknown, or the device is not available.
        WeightsError: the weights are missing and cannot be downloaded, or are not this backbone's.
    """
    backbone = find_backbone(name) if isinstance(name, str) else name
    obtained = _obtain_weights(backbone, weights, progress)
    path, sha256 = (obtained.path, obtained.sha256) if obtained else (None, None)
    open_engine = backbone.open_engine or open_network_engine
    return FeatureExtractor(backbone, obtained, open_engine(backbone, path, sha256, device))


def torch_module(name: str | Backbone, *, weights: str | Path | None = None) -> torch.nn.Module:
    """Load a backbone as one torch module, for training loops.

    The module takes uint8 RGB [b, 3, H, W], all images of one size, on the device it was moved to,
    and gives features float32 [b, d]. It preprocesses on that device; where `extract` uses Pillow,
    pixels differ by one or two of 255. Its weights are frozen, and it is in evaluation mode.

    Args:
        name: as for `load_backbone`.
        weights: as for `load_backbone`.

    Raises:
        UsageError: the name is unknown, or torch cannot run this backbone.
        WeightsError: as for `load_backbone`.
    """
    from genmem.features.torch_modules import TorchBackbone

    backbone = find_backbone(name) if isinstance(name, str) else name
    obtained = _obtain_weights(backbone, weights, None)
    if backbone.network is None:
        if obtained is not None:
            raise UsageError(f"{backbone.name} is an ONNX file: torch cannot run it.")
        return TorchBackbone(backbone.preprocessing.apply_tensor, None).eval()
    if obtained is None:
        raise UsageError(f"{backbone.name}: expected weights for its network, got none.")
    network = backbone.network(obtained.path)
    return TorchBackbone(backbone.preprocessing.apply_tensor, network).eval()
