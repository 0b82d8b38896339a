"""The engine of a backbone: ONNX Runtime on the CPU, torch on CUDA and MPS, or a NumPy function.

On a CPU the same weights run two to seven times faster in ONNX Runtime than in torch. A network is
exported once per weights file and kept in genmem's cache (see `onnx_export`). Outputs of the
engines agree to about 1e-5 relative; the engine's name is part of the cache key of features.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from genmem.errors import UsageError
from genmem.features.backbone import Backbone, Device, Engine, FeaturesAndLogits, OpenEngine
from genmem.features.onnx_engine import OnnxEngine, as_rows

if TYPE_CHECKING:
    import torch

GPU_BATCH_SIZE = 128


_GPU_FILES = ("nvidiactl", "nvidia0", "nvmap", "kfd", "dxg")
"""Files in /dev of the drivers of NVIDIA, its boards, AMD and Windows (WSL)."""


def may_have_gpu() -> bool:
    """Whether torch, which takes seconds to import, has to be asked for a GPU."""
    if sys.platform != "linux" or "torch" in sys.modules:
        return True
    return any(Path("/dev", name).exists() for name in _GPU_FILES)


def choose_device(device: Device | torch.device) -> str:
    """Resolve "auto" to CUDA, else MPS, else the CPU; check that any other device is available.

    Args:
        device: a name, or torch's device.

    Returns:
        "cpu", "mps", "cuda", or one GPU of several, "cuda:1".

    Raises:
        UsageError: the device is unknown or not available, or CUDA was used before a fork.
    """
    device = str(device)
    if device == "cpu" or (device == "auto" and not may_have_gpu()):
        return "cpu"
    import torch

    available = [
        *(["cuda"] if torch.cuda.is_available() else []),
        *(["mps"] if torch.backends.mps.is_available() else []),
        "cpu",
    ]
    chosen = available[0] if device == "auto" else device
    kind, colon, index = chosen.partition(":")
    gpus = torch.cuda.device_count() if "cuda" in available else 0
    is_gpu = kind == "cuda" and index.isdecimal() and len(index) < 5 and int(index) < gpus
    if kind not in available or (colon and not is_gpu):
        several = f" (or cuda:0 to cuda:{gpus - 1})" if gpus > 1 else ""
        raise UsageError(
            f"device: {device!r} is not available here. Use auto or {', '.join(available)}"
            f"{several}."
        )
    if kind == "cuda" and torch.cuda._is_in_bad_fork():
        raise UsageError(
            "device: CUDA was used before this process was forked, and cannot be used in it. Start "
            "processes with multiprocessing.get_context('spawn'), or use device='cpu'."
        )
    return chosen


def device_kind(device: str) -> str:
    """The kind of a device, without its number: "cuda" of "cuda:1"."""
    return device.partition(":")[0]


def torch_device(device: str | torch.device) -> torch.device:
    """torch's device of that name, as training loops name it ("cuda:1").

    Raises:
        UsageError: there is none, or it is not available.
    """
    import torch

    try:
        chosen = torch.device(device)
        torch.empty(0, device=chosen)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise UsageError(
            f"device: {str(device)!r} is not available here. Use 'cpu', or a device of torch's "
            "such as 'cuda' where there is one."
        ) from error
    return chosen


def cpu_note(device: Device, title: str) -> str | None:
    """What a reader must know where `device` is another than the CPU, on which `title` runs anyway.

    Raises:
        UsageError: the device is unknown or not available.
    """
    if device == "auto" or choose_device(device) == "cpu":
        return None
    return f"{title} is computed on the CPU: device={device!r} has no effect on it"


class FunctionEngine:
    """A NumPy function of a whole batch."""

    dimension: int | None = None

    def __init__(
        self,
        function: Callable[[NDArray], NDArray],
        *,
        name: str,
        title: str,
        note: str | None = None,
    ) -> None:
        self._function, self._title = function, title
        self.name = name
        self.note = note
        self.batch_size = 256

    def run(self, batch: NDArray) -> FeaturesAndLogits:
        """Preprocessed images [b, h, w, 3] → features; no logits."""
        rows = as_rows(self._function(batch), len(batch), self._title)
        self.dimension = rows.shape[1]
        return rows, None


def function_engine(function: Callable[[NDArray], NDArray], *, name: str = "numpy") -> OpenEngine:
    """The `open_engine` of a backbone that is a NumPy function and has no weights.

    Args:
        function: preprocessed images [b, h, w, 3] → features [b, d].
        name: part of the cache key. Change it when the function's results change.
    """
    return partial(_open_function_engine, function, name)


def _open_function_engine(
    function: Callable[[NDArray], NDArray],
    name: str,
    backbone: Backbone,
    weights: Path | None,
    sha256: str | None,
    device: Device,
) -> FunctionEngine:
    del weights, sha256
    title = backbone.name
    return FunctionEngine(function, name=name, title=title, note=cpu_note(device, title))


class TorchEngine:
    """A torch module on one device, in float32 without TF32."""

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
        self.name = f"torch {device_kind(device)}"  # GPUs of one machine give the same features
        self.batch_size = batch_size
        self.dimension = dimension

    def run(self, batch: NDArray) -> FeaturesAndLogits:
        """Preprocessed images → features and logits."""
        import torch

        from genmem.torch_settings import default_torch_settings

        images = torch.from_numpy(np.ascontiguousarray(batch)).to(self.device)
        with torch.inference_mode(), default_torch_settings():
            output = self.network(images)
        features, logits = output if isinstance(output, tuple) else (output, None)
        rows = as_rows(features.float().cpu().numpy(), len(batch), self.title)
        self.dimension = rows.shape[1]
        if logits is None:
            return rows, None
        return rows, as_rows(logits.float().cpu().numpy(), len(batch), self.title)


def open_network_engine(
    backbone: Backbone, weights: Path | None, sha256: str | None, device: Device
) -> Engine:
    """Open the engine of a backbone that is a torch network.

    Args:
        backbone: its `network` builds the torch module.
        weights: the weights file.
        sha256: the file's hash, part of the name of the cached export.
        device: where to run: ONNX Runtime on the CPU, torch elsewhere.

    Raises:
        WeightsError: the file does not hold this backbone's weights.
        UsageError: the device is not available.
    """
    if backbone.network is None or weights is None or sha256 is None:
        raise UsageError(f"{backbone.name}: expected a network and its weights, got none.")
    chosen = choose_device(device)
    if chosen == "cpu":
        from genmem.features.onnx_export import export_to_onnx

        model, failure = export_to_onnx(backbone, weights, sha256)
        if model is not None:
            return OnnxEngine(model, title=backbone.name, batch_size=backbone.batch_size)
    else:
        failure = None
    from genmem.torch_settings import default_torch_settings

    with default_torch_settings():
        network = backbone.network(weights)
    engine = TorchEngine(
        network,
        device=chosen,
        title=backbone.name,
        batch_size=backbone.batch_size if chosen == "cpu" else GPU_BATCH_SIZE,
        dimension=backbone.dimension,
    )
    engine.note = failure
    return engine
