"""Custom backbones: a network in an .onnx or a TorchScript file of the user's.

The network takes RGB images [b, 3, H, W] with values 0–255 as uint8, and its first output is the
features [b, d]. An ONNX file may also declare [b, H, W, 3] or float32. Scaling belongs inside the
file. If an ONNX file fixes H and W, images are stretched to that square (Pillow's bicubic);
otherwise they keep their size, which must be the same for all.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from genmem.errors import UsageError, WeightsError
from genmem.features.backbone import Backbone, Device, FeaturesAndLogits
from genmem.features.engines import TorchEngine, choose_device, cpu_note
from genmem.features.onnx_engine import OnnxEngine
from genmem.features.preprocessing import Crop, Identity
from genmem.features.weights import Candidate
from genmem.images import Progress

SUFFIXES = (".onnx", ".pt", ".torchscript")
BATCH_SIZE = 16


@dataclass(frozen=True, kw_only=True)
class LocalFile:
    """The weights source of a custom backbone: its own file."""

    path: Path

    @property
    def filename(self) -> str:
        """The file's name."""
        return self.path.name

    @property
    def url(self) -> str:
        """Text in place of an address."""
        return "a local file"

    @property
    def place(self) -> str:
        """Where the file should be."""
        return f"at {self.path}"

    def find(self) -> Candidate | None:
        """The file itself."""
        return Candidate(self.path, "local file", None) if self.path.is_file() else None

    def download(self, progress: Progress | None) -> Candidate:
        """Fails: the file has no address."""
        del progress
        raise WeightsError(f"there is no file {self.path}")


class FileOnnxEngine(OnnxEngine):
    """A custom ONNX file; batches are converted to what its input declares."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, title=path.name, batch_size=BATCH_SIZE)
        self.outputs = self.outputs[:1]
        self.channels_last = _channels_last(self.input.shape)
        types = {"tensor(uint8)": np.uint8, "tensor(float)": np.float32}
        if self.input.type not in types:
            raise UsageError(
                f"{path.name}: expected an input of uint8 or float32, got {self.input.type}."
            )
        self.dtype = types[self.input.type]

    def run(self, batch: NDArray) -> FeaturesAndLogits:
        """uint8 [b, H, W, 3] → features of the first output; other outputs are ignored."""
        images = batch if self.channels_last else batch.transpose(0, 3, 1, 2)
        features, _ = super().run(np.ascontiguousarray(images, dtype=self.dtype))
        return features, None


def _channels_last(shape: list[int | str | None]) -> bool:
    """Whether an input shape is [b, H, W, 3] and not [b, 3, H, W]."""
    return len(shape) == 4 and shape[3] == 3 and shape[1] != 3


def _onnx_input_size(path: Path) -> int | None:
    """The side of the square that an ONNX file takes; None for any size."""
    import onnx
    from google.protobuf.message import DecodeError

    try:
        model = onnx.load(path, load_external_data=False)
    except (DecodeError, OSError, ValueError) as error:
        raise UsageError(f"{path} is not an ONNX file ({type(error).__name__}).") from error
    constants = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in constants]
    if len(inputs) != 1 or len(inputs[0].type.tensor_type.shape.dim) != 4:
        raise UsageError(f"{path}: expected one input of shape [b, 3, H, W] or [b, H, W, 3].")
    shape = [dim.dim_value or None for dim in inputs[0].type.tensor_type.shape.dim]
    height, width = shape[1:3] if _channels_last(list(shape)) else shape[2:4]
    if height != width:
        raise UsageError(
            f"{path}: expected an input of a square or any size, got {height} × {width}."
        )
    return height


def _open_onnx(
    backbone: Backbone, weights: Path | None, sha256: str | None, device: Device
) -> OnnxEngine:
    """Open ONNX Runtime on the CPU, whatever the device."""
    del sha256
    if weights is None:
        raise UsageError(f"{backbone.name}: expected an ONNX file, got none.")
    engine = FileOnnxEngine(weights)
    engine.note = cpu_note(device, backbone.name)
    return engine


def _load_torchscript(path: Path):
    """The module of a TorchScript file, taking [b, H, W, 3]."""
    import torch

    from genmem.features.torch_modules import ChannelsFirst, freeze

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            module = torch.jit.load(path, map_location="cpu")
    except (RuntimeError, ValueError) as error:
        raise WeightsError(
            f"{path.name} is not a TorchScript file. Create one with torch.jit.script or "
            "torch.jit.trace, or export the network to ONNX."
        ) from error
    return freeze(ChannelsFirst(module))


def _open_torchscript(
    backbone: Backbone, weights: Path | None, sha256: str | None, device: Device
) -> TorchEngine:
    """Open torch on the chosen device."""
    del sha256
    if weights is None:
        raise UsageError(f"{backbone.name}: expected a TorchScript file, got none.")
    return TorchEngine(
        _load_torchscript(weights),
        device=choose_device(device),
        title=backbone.name,
        batch_size=BATCH_SIZE,
    )


def load_custom_backbone(path: Path) -> Backbone:
    """Describe the backbone in a custom .onnx or TorchScript file.

    Raises:
        UsageError: the file is missing, or its network does not fit the module's rule.
    """
    if not path.is_file():
        raise UsageError(f"backbone: expected a name or a file, but there is no file {path}.")
    is_onnx = path.suffix == ".onnx"
    size = _onnx_input_size(path) if is_onnx else None
    preprocessing = Identity() if size is None else Crop(size, None, Image.Resampling.BICUBIC)
    return Backbone(
        name=path.name,
        description="a custom network",
        licence="unknown",
        dimension=None,
        input_size=size,
        preprocessing=preprocessing,
        weights=LocalFile(path=path),
        network=None if is_onnx else _load_torchscript,
        open_engine=_open_onnx if is_onnx else _open_torchscript,
    )
