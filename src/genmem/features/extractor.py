"""`load_backbone`: finds the weights of a backbone, checks them and opens its engine."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from genmem.errors import UsageError, WeightsError
from genmem.features import pixels
from genmem.features.backbone import Backbone, Device, Engine, FeaturesAndLogits
from genmem.features.custom_models import module_of
from genmem.features.engines import open_network_engine
from genmem.features.registry import (
    BackboneLike,
    backbones,
    find_backbone,
    is_registered,
    weights_status,
)
from genmem.features.weights import Weights, obtain_weights, sha256_of
from genmem.images import Progress

if TYPE_CHECKING:
    import torch


class FeatureExtractor:
    """Turns images into features. `load_backbone` makes one.

    It can be pickled and sent to other processes. An engine has threads and memory of its own that
    cannot travel: a process that received or inherited the extractor opens one at its first batch,
    from the same weights.

    Attributes:
        backbone: its registry entry.
        weights_origin: where the weights were found; None for a backbone without weights.
        engine: name of what runs the network: "onnxruntime cpu", "torch cuda", "numpy", …
        batch_size: images per call at which this engine is fastest.
    """

    def __init__(self, backbone: Backbone, weights: Weights | None, device: Device) -> None:
        self.backbone = backbone
        self._sha256 = weights.sha256 if weights else None
        self.weights_origin = weights.origin if weights else None
        self._weights = weights
        self._device: Device = device
        self._engine = self._open_engine()
        self._process = os.getpid()
        self.engine = self._engine.name
        self.batch_size = self._engine.batch_size
        self._note = self._engine.note
        self._dimension = self._engine.dimension or backbone.dimension

    def _open_engine(self) -> Engine:
        path, sha256 = (self._weights.path, self._weights.sha256) if self._weights else (None, None)
        open_engine = self.backbone.open_engine or open_network_engine
        return open_engine(self.backbone, path, sha256, self._device)

    def __getstate__(self) -> dict[str, Any]:
        """Everything but the engine; a backbone of the registry as its name."""
        name = self.backbone.name
        return self.__dict__ | {
            "_engine": None,
            "backbone": name if is_registered(self.backbone) else self.backbone,
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__ |= state
        if isinstance(state["backbone"], str):
            self.backbone = find_backbone(state["backbone"])

    def __deepcopy__(self, memo: dict[int, Any]) -> FeatureExtractor:
        return self  # one engine serves all copies in a process

    @property
    def opened_engine(self) -> str | None:
        """Name of the engine of this process, which may differ from that of `engine`'s process."""
        return self._engine.name if self._engine is not None else None

    @property
    def weights_hash(self) -> str | None:
        """SHA-256 of the weights file, hex; of a module, hash of its weights; None without any."""
        return self.backbone.digest() if self.backbone.digest else self._sha256

    @property
    def dimension(self) -> int | None:
        """Features per image; None if unknown until the first batch."""
        return self._dimension

    def transform(self, image: NDArray[np.uint8]) -> NDArray[Any]:
        """One RGB image, uint8 [H, W, 3] → the network's input. Thread-safe."""
        return self.backbone.preprocessing.apply(image)

    def run(self, batch: NDArray[Any]) -> FeaturesAndLogits:
        """Transformed images → features float32 [b, d] and logits [b, c] or None.

        Args:
            batch: [b, ...]; where the backbone `takes_any_shape`, what `images.stack_images` gives.
        """
        if self._engine is None or self._process != os.getpid():
            self._reopen()
        rows, logits = (self._run_by_shape if batch.dtype == object else self._engine.run)(batch)
        self._dimension = rows.shape[1]
        return rows, logits

    def _run_by_shape(self, images: NDArray[Any]) -> FeaturesAndLogits:
        """Images of several shapes, those of one shape together."""
        shapes = [image.shape for image in images]
        groups = [
            [index for index, other in enumerate(shapes) if other == shape]
            for shape in dict.fromkeys(shapes)
        ]
        outputs = [self._engine.run(np.stack(list(images[group]))) for group in groups]
        order = np.argsort(np.concatenate(groups))
        logits = [part for _, part in outputs if part is not None]
        rows = np.concatenate([part for part, _ in outputs])[order]
        return rows, np.concatenate(logits)[order] if logits else None

    def _reopen(self) -> None:
        """Open the engine in this process, from the same weights wherever they are here."""
        weights = self._weights
        if weights and not (
            weights.path.is_file() and sha256_of(weights.path) == self.weights_hash
        ):
            weights = _obtain_weights(self.backbone, None, None)
            if weights is None or weights.sha256 != self.weights_hash:
                raise WeightsError(
                    f"{self.backbone.name}: expected the weights of the process that sent this, "
                    f"SHA-256 {self.weights_hash}, got {weights and weights.sha256}. Put the same "
                    "file in $GENMEM_WEIGHTS on every machine."
                )
            self._weights = weights
        self._engine, self._process = self._open_engine(), os.getpid()

    def describe(self) -> dict[str, Any]:
        """Name, dimension, preprocessing, weights and engine, as JSON values for provenance."""
        return {
            "name": self.backbone.name,
            "dimension": self.dimension,
            "preprocessing": self.backbone.preprocessing.name,
            "weights_sha256": self.weights_hash,
            "weights_from": self.weights_origin,
            "engine": self.engine,
            **({"note": self._note} if self._note else {}),
        }


def fetch_weights(name: BackboneLike, *, progress: Progress | None = None) -> Weights | None:
    """Find or download the published weights of a backbone, and check their hash.

    Args:
        name: as for `load_backbone`.
        progress: told about downloads.

    Returns:
        The file; None for a backbone without weights.

    Raises:
        UsageError: the name is unknown.
        WeightsError: the weights are missing and cannot be downloaded, or are not the published.
    """
    return _obtain_weights(find_backbone(name), None, progress)


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
    name: BackboneLike,
    *,
    weights: str | Path | None = None,
    device: Device = "auto",
    progress: Progress | None = None,
) -> FeatureExtractor:
    """Load a backbone, ready to turn images into features.

    Args:
        name: one of `backbones`, `timm:NAME`, `NAME@SIDE`, the path of an .onnx, .pt2 or
            TorchScript file, a torch module, a callable, or a `Backbone`; see `find_backbone` and
            `custom_backbone`. A `FeatureExtractor` is returned as it is.
        weights: the weights file to use; None: look for the published one, or download it.
        device: where to run; "auto" takes CUDA, else MPS, else the CPU.
        progress: told about downloads.

    Raises:
        UsageError: the name is unknown, or the device is not available.
        WeightsError: the weights are missing and cannot be downloaded, or are not this backbone's.
    """
    if isinstance(name, FeatureExtractor):
        return name
    backbone = find_backbone(name)
    obtained = _obtain_weights(backbone, weights, progress)
    return FeatureExtractor(backbone, obtained, device)


def torch_module(name: BackboneLike, *, weights: str | Path | None = None) -> torch.nn.Module:
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
    from genmem.features.torch_modules import ChannelsFirst, TorchBackbone, freeze
    from genmem.torch_settings import default_torch_settings

    backbone = find_backbone(name)
    obtained = _obtain_weights(backbone, weights, None)
    preprocess = backbone.preprocessing.apply_tensor
    if (module := module_of(backbone)) is not None:
        return TorchBackbone(preprocess, freeze(ChannelsFirst(module))).eval()
    if backbone.network is None:
        if obtained is not None:
            raise UsageError(f"{backbone.name} is an ONNX file: torch cannot run it.")
        if not pixels.is_pixels(backbone.name):
            raise UsageError(f"{backbone.name} is a function: expected a torch network.")
        return TorchBackbone(preprocess, None).eval()
    if obtained is None:
        raise UsageError(f"{backbone.name}: expected weights for its network, got none.")
    with default_torch_settings():
        network = backbone.network(obtained.path)
    return TorchBackbone(preprocess, network).eval()
