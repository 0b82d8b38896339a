"""What runs the networks: ONNX Runtime on the CPU, torch on CUDA and MPS.

On a CPU the same weights run two to seven times faster in ONNX Runtime than in torch. A network
is exported once per weights file and kept in genmem's cache (see `onnx_export`). Outputs of the
engines agree to about 1e-5 relative; which one made the features is part of their cache key.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from genmem.errors import InputError, UsageError, WeightsError
from genmem.features._backbone import Backbone, Device, Embedded, Engine
from genmem.images.parallel import usable_cores

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


def as_rows(output: NDArray, count: int, name: str) -> NDArray[np.float32]:
    """A network's output as float32 [b, d].

    Raises:
        InputError: it is not one row of features per image.
    """
    if output.ndim > 2 and output.size == output.shape[0] * output.shape[1]:
        output = output.reshape(output.shape[:2])
    if output.ndim != 2 or len(output) != count:
        raise InputError(
            f"{name} gave an array of shape {tuple(output.shape)} for {count} images; expected one "
            "row of features per image, [b, d]"
        )
    return np.ascontiguousarray(output, dtype=np.float32)


class OnnxEngine:
    """ONNX Runtime on the CPU. The first output is the features, the second, if any, the logits."""

    name = "onnxruntime cpu"
    note: str | None = None

    def __init__(self, model: Path | bytes, *, title: str, batch_size: int) -> None:
        # From 1.29 on ONNX Runtime reports every session to its makers and keeps an identifier in
        # the home folder unless this is set before the import. Nobody is told what genmem reads.
        os.environ["ORT_DISABLE_TELEMETRY"] = "1"
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = usable_cores()
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        # Idle threads that spin take the cores from the reader threads.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        try:
            self.session = onnxruntime.InferenceSession(
                model if isinstance(model, bytes) else str(model),
                options,
                providers=["CPUExecutionProvider"],
            )
        # ONNX Runtime's exceptions have no common base but Exception.
        except Exception as error:
            reason = " ".join(str(error).split())[:200]
            raise WeightsError(f"ONNX Runtime cannot load {title}: {reason}") from error
        self.title = title
        self.batch_size = batch_size
        self.input = self.session.get_inputs()[0]
        self.outputs = [output.name for output in self.session.get_outputs()][:2]
        width = (self.session.get_outputs()[0].shape or [None, None])[1:2]
        self.dimension: int | None = width[0] if width and isinstance(width[0], int) else None

    def run(self, batch: NDArray) -> Embedded:
        """Preprocessed images → features and logits."""
        outputs = self.session.run(self.outputs, {self.input.name: batch})
        rows = [as_rows(np.asarray(output), len(batch), self.title) for output in outputs]
        self.dimension = rows[0].shape[1]
        return rows[0], rows[1] if len(rows) > 1 else None


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

    def run(self, batch: NDArray) -> Embedded:
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
        from genmem.features.onnx_export import exported

        model, failure = exported(backbone, weights, sha256)
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
