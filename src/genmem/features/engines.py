"""What runs the networks: ONNX Runtime on the CPU, torch on CUDA and MPS.

On a CPU the same weights run two to seven times faster in ONNX Runtime than in torch. A network
is exported once per weights file and kept in genmem's cache (see `onnx_export`). Outputs of the
engines agree to about 1e-5 relative; which one made the features is part of their cache key.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from genmem.errors import UsageError
from genmem.features.backbone import Backbone, Device, Engine, FeaturesAndLogits
from genmem.features.onnx_engine import OnnxEngine, as_rows

if TYPE_CHECKING:
    import torch

GPU_BATCH_SIZE = 128


def choose_device(device: Device) -> str:
    """`device`, with "auto" resolved: CUDA, else MPS, else the CPU.

    Raises:
        UsageError: the device is unknown, or asked for and not there.
    """
    if device == "cpu":
        return "cpu"
    import torch

    there = {
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
        "cpu": True,
    }
    if device == "auto":
        return next(name for name, is_there in there.items() if is_there)
    if not there.get(device, False):
        usable = ", ".join(name for name, is_there in there.items() if is_there)
        raise UsageError(f"device {device!r} is not available here; use auto or {usable}")
    return device


class TorchEngine:
    """A torch module on some device, in float32 without TF32 shortcuts."""

    note: str | None = None

    def __init__(
        self,
        network: torch.nn.Module,
        *,
        device: str,
        title: str,
        batch_size: int,
        dimension: int | None = None,
    ) -> None:
        self.network = network.to(device)
        self.device = device
        self.title = title
        self.name = f"torch {device}"
        self.batch_size = batch_size
        self.dimension = dimension

    def run(self, batch: NDArray) -> FeaturesAndLogits:
        """Preprocessed images → features and logits."""
        import torch

        images = torch.from_numpy(np.ascontiguousarray(batch)).to(self.device)
        with torch.inference_mode(), torch.backends.cudnn.flags(allow_tf32=False):
            output = self.network(images)
        features, logits = output if isinstance(output, tuple) else (output, None)
        rows = as_rows(features.float().cpu().numpy(), len(batch), self.title)
        self.dimension = rows.shape[1]
        if logits is None:
            return rows, None
        return rows, as_rows(logits.float().cpu().numpy(), len(batch), self.title)


def open_network_engine(
    backbone: Backbone,
    weights: Path | None,
    sha256: str | None,
    device: Device,
    *,
    batch_size: int,
) -> Engine:
    """The engine for a backbone that is defined as a torch network.

    Args:
        backbone: which one; its `network` builds the torch module.
        weights: the weights file.
        sha256: the file's hash, under which the export is kept.
        device: where to run.
        batch_size: images per call on the CPU.

    Raises:
        WeightsError: the file does not hold this backbone's weights.
        UsageError: the device is not there.
    """
    if backbone.network is None or weights is None or sha256 is None:
        raise UsageError(f"{backbone.name} has no network to run")
    chosen = choose_device(device)
    if chosen == "cpu":
        from genmem.features.onnx_export import export_to_onnx

        model, failure = export_to_onnx(backbone, weights, sha256)
        if model is not None:
            return OnnxEngine(model, title=backbone.name, batch_size=batch_size)
    else:
        failure = None
    engine = TorchEngine(
        backbone.network(weights),
        device=chosen,
        title=backbone.name,
        batch_size=batch_size if chosen == "cpu" else GPU_BATCH_SIZE,
        dimension=backbone.dimension,
    )
    engine.note = failure
    return engine
