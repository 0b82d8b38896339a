"""A network of the user's own, from an .onnx or a TorchScript file.

One rule for all: the network takes RGB images [b, 3, H, W] (or [b, H, W, 3], for an ONNX file that
says so) with values 0–255, as uint8, or as float32 when an ONNX file asks for it, and gives
features [b, d] as its first output. Any scaling belongs inside the file. Where an ONNX file fixes
H and W, images are stretched to that square (Pillow's bicubic); otherwise they come at their own
size, which must then be one and the same.
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
from genmem.features.engines import TorchEngine, choose_device
from genmem.features.onnx_engine import OnnxEngine
from genmem.features.preprocessing import Crop, Identity
from genmem.images import Progress

SUFFIXES = (".onnx", ".pt", ".torchscript")
BATCH_SIZE = 16


@dataclass(frozen=True, kw_only=True)
class LocalFile:
    """A weights source that is the given file and nothing else."""

    path: Path

    @property
    def filename(self) -> str:
        """The file's name."""
        return self.path.name

    @property
    def url(self) -> str:
        """There is no address."""
        return "a local file"

    @property
    def place(self) -> str:
        """Where it was given."""
        return f"at {self.path}"

    def find(self) -> tuple[Path, str] | None:
        """The file itself."""
        return (self.path, "local file") if self.path.is_file() else None

    def expected_sha256(self, path: Path) -> str | None:
        """Nothing is published."""
        del path

    def download(self, progress: Progress | None) -> Path:
        """There is nothing to download from."""
        del progress
        raise WeightsError("the file is not there")


class FileOnnxEngine(OnnxEngine):
    """An ONNX file of the user's, given what its input asks for."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, title=path.name, batch_size=BATCH_SIZE)
        self.outputs = self.outputs[:1]
        self.channels_last = _channels_last(self.input.shape)
        types = {"tensor(uint8)": np.uint8, "tensor(float)": np.float32}
        if self.input.type not in types:
            raise UsageError(
                f"{path.name}: its input is {self.input.type}; expected uint8 or float32"
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
    """The side of the square an ONNX file asks for; None when it takes any size."""
    import onnx
    from google.protobuf.message import DecodeError

    try:
        model = onnx.load(path, load_external_data=False)
    except (DecodeError, OSError, ValueError) as error:
        raise UsageError(f"{path} is not an ONNX file ({type(error).__name__})") from error
    constants = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in constants]
    if len(inputs) != 1 or len(inputs[0].type.tensor_type.shape.dim) != 4:
        raise UsageError(f"{path}: expected one input of shape [b, 3, H, W] or [b, H, W, 3]")
    shape = [dim.dim_value or None for dim in inputs[0].type.tensor_type.shape.dim]
    height, width = shape[1:3] if _channels_last(list(shape)) else shape[2:4]
    if height != width:
        raise UsageError(f"{path} takes images of {height} × {width}; expected a square, or any")
    return height


def _open_onnx(
    backbone: Backbone, weights: Path | None, sha256: str | None, device: Device
) -> OnnxEngine:
    """ONNX Runtime on the CPU, whatever the device."""
    del backbone, sha256, device
    if weights is None:
        raise UsageError("an ONNX backbone needs its file")
    return FileOnnxEngine(weights)


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
            f"{path.name} is not a TorchScript file; make one with torch.jit.script or "
            "torch.jit.trace, or export the network to ONNX"
        ) from error
    return freeze(ChannelsFirst(module))


def _open_torchscript(
    backbone: Backbone, weights: Path | None, sha256: str | None, device: Device
) -> TorchEngine:
    """torch on the chosen device."""
    del sha256
    if weights is None:
        raise UsageError("a TorchScript backbone needs its file")
    return TorchEngine(
        _load_torchscript(weights),
        device=choose_device(device),
        title=backbone.name,
        batch_size=BATCH_SIZE,
    )


def load_custom_backbone(path: Path) -> Backbone:
    """The backbone in a file of the user's.

    Raises:
        UsageError: the file is missing, or not of the form the module's docstring asks for.
    """
    if not path.is_file():
        raise UsageError(f"the backbone file {path} is not there")
    is_onnx = path.suffix == ".onnx"
    size = _onnx_input_size(path) if is_onnx else None
    stretch = Identity() if size is None else Crop(size, None, Image.Resampling.BICUBIC)
    return Backbone(
        name=path.name,
        description="a network of your own",
        licence="yours to know",
        dimension=None,
        input_size=size,
        preprocessing=stretch,
        weights=LocalFile(path=path),
        network=None if is_onnx else _load_torchscript,
        open_engine=_open_onnx if is_onnx else _open_torchscript,
    )
