"""Custom backbones: the user's own network, in a file or in Python.

Files: .onnx; TorchScript (.pt, .torchscript); programs of `torch.export` (.pt2, or .pt). Nothing is
unpickled: a checkpoint of weights or of a pickled module is refused, and so is a program whose
loading would run code (`exported_programs`). Python: a torch module or any callable.

The network takes RGB images [b, 3, H, W]; its output, or the first of several, is the features
[b, d]. An ONNX file may also declare [b, H, W, 3]. `preprocess`, SCALE or SCALE,SIZE, says what
the pixels are:

SCALE   uint8      0–255 as uint8: scaling belongs inside the network. Without `preprocess`, too;
                   an ONNX file may also declare float32, still 0–255
        unit       float32, 0–1
        symmetric  float32, −1–1
        imagenet   float32, (x/255 − mean) / std with the mean and std of ImageNet
        clip       the same with those of CLIP
SIZE    288        the shorter side becomes 288 pixels (bilinear; torchvision's Resize), and
                   images of several sizes run in batches of one size
        288x288    stretched to 288 × 288
        none       images keep their size, which must be the same for all; but an ONNX file that
                   fixes its input to a square gets images stretched to it (bicubic)
"""

from __future__ import annotations

import re
import warnings
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from genmem.errors import InputError, UsageError, WeightsError
from genmem.features.backbone import Backbone, Device, FeaturesAndLogits
from genmem.features.engines import choose_device, cpu_note, device_kind
from genmem.features.network_engine import (
    BATCH_SIZE,
    NetworkEngine,
    check_repeatable,
    weights_digest,
)
from genmem.features.onnx_engine import OnnxEngine, onnx_runs_on_cuda
from genmem.features.preprocessing import Crop, Identity, Preprocessing, Scaled, ShorterSide
from genmem.features.timm_models import CLIP, HALF, IMAGENET
from genmem.features.weights import Candidate
from genmem.images import Progress

if TYPE_CHECKING:
    import torch

SUFFIXES = (".onnx", ".pt", ".pt2", ".torchscript")

SCALES = {
    "uint8": None,
    "unit": ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0)),
    "symmetric": HALF,
    "imagenet": IMAGENET,
    "clip": CLIP,
}
"""Mean and standard deviation per channel of values in [0, 1], by SCALE; None: no scaling."""

LARGEST_SIDE = 4_096


def parse_preprocess(text: str) -> Preprocessing:
    """`SCALE` or `SCALE,SIZE`; see the module.

    Raises:
        UsageError: it is neither.
    """
    scale, comma, size = (part.strip() for part in text.partition(","))
    match = re.fullmatch(r"([1-9]\d{0,3})(x\1)?", size)
    if scale not in SCALES or (comma and (not match or int(match[1]) > LARGEST_SIDE)):
        raise UsageError(
            f"preprocess: expected SCALE or SCALE,SIZE, as in imagenet,288, got {text!r}. SCALE is "
            f"{', '.join(SCALES)}; SIZE is 288 for a shorter side of 288 pixels or 288x288, at "
            f"most {LARGEST_SIDE:,}."
        )
    resizing: Preprocessing = Identity()
    if match and match[2]:
        resizing = Crop(int(match[1]), None, Image.Resampling.BILINEAR)
    elif match:
        resizing = ShorterSide(int(match[1]))
    scaling = SCALES[scale]
    return resizing if scaling is None else Scaled(resizing, scale, *scaling)


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

    def __init__(
        self, path: Path, preprocessing: Preprocessing, *, cuda: str | None = None
    ) -> None:
        super().__init__(path, title=path.name, batch_size=BATCH_SIZE, cuda=cuda)
        self.outputs = self.outputs[:1]
        self._is_checked = False
        self.channels_last = _channels_last(self.input.shape)
        types = {"tensor(uint8)": np.uint8, "tensor(float)": np.float32}
        if self.input.type not in types:
            raise UsageError(
                f"{path.name}: expected an input of uint8 or float32, got {self.input.type}."
            )
        self.dtype = types[self.input.type]
        if self.dtype == np.uint8 and isinstance(preprocessing, Scaled):
            raise UsageError(
                f"{path.name}: takes uint8 images, which cannot be scaled; the SCALE of "
                "--preprocess (preprocess=) must be uint8."
            )

    def run(self, batch: NDArray) -> FeaturesAndLogits:
        """Images [b, h, w, 3] → features of the first output; other outputs are ignored."""
        rows = self._run(batch)
        if not self._is_checked:
            check_repeatable(self._run, batch, self.title)
            self._is_checked = True
        return rows, None

    def _run(self, batch: NDArray) -> NDArray[np.float32]:
        """Features, in batches of the size that the file fixes, if it does."""
        size: Any = self.input.shape[0]
        if not isinstance(size, int) or len(batch) == size:
            return self._run_once(batch)
        parts = []
        for start in range(0, len(batch), size):
            part = batch[start : start + size]
            padding = np.repeat(part[-1:], size - len(part), axis=0)
            parts.append(self._run_once(np.concatenate([part, padding]))[: len(part)])
        return np.concatenate(parts)

    def _run_once(self, batch: NDArray) -> NDArray[np.float32]:
        images = batch if self.channels_last else batch.transpose(0, 3, 1, 2)
        try:
            features, _ = super().run(np.ascontiguousarray(images, dtype=self.dtype))
        except InputError:
            raise
        except Exception as error:  # ONNX Runtime's exceptions have no common base but Exception
            if isinstance(error, MemoryError) or "allocate" in str(error):
                raise
            reason = " ".join(str(error).split())[:200]
            raise InputError(
                f"{self.title}: the network failed on images {list(images.shape)}; it declares "
                f"{list(self.input.shape)}. Say the size with --preprocess (preprocess=). {reason}"
            ) from error
        return features


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
    """Open ONNX Runtime: on CUDA where it is asked for and installed, else on the CPU."""
    del sha256
    if weights is None:
        raise UsageError(f"{backbone.name}: expected an ONNX file, got none.")
    chosen = choose_device(device)
    if device_kind(chosen) == "cuda" and onnx_runs_on_cuda():
        return FileOnnxEngine(weights, backbone.preprocessing, cuda=chosen)
    engine = FileOnnxEngine(weights, backbone.preprocessing)
    engine.note = cpu_note(device, backbone.name)
    return engine


def _torch_format(path: Path) -> str:
    """What a torch file holds: "exported" or "torchscript"; decided by its content.

    Raises:
        UsageError: neither of them, such as a checkpoint of weights.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            names = {name.partition("/")[2] for name in archive.namelist()}
    except (OSError, ValueError, zipfile.BadZipFile, NotImplementedError):
        names = set()
    if {"archive_format", "models/model.json"} & names:
        return "exported"
    if "constants.pkl" in names:
        return "torchscript"
    kind = "a checkpoint of weights or of a pickled module" if names else "neither"
    raise UsageError(
        f"{path.name}: expected a network as torch.export.save or torch.jit.save writes it; this "
        f"is {kind}, and nothing is unpickled. Save the network itself with torch.export.save, or "
        "give the module in Python (backbone=module)."
    )


def load_network(path: Path, *, device: str = "cpu", scaled: bool | None = None) -> torch.nn.Module:
    """The network in a torch file, frozen, on a device; it takes [b, 3, h, w].

    Args:
        path: a TorchScript file or an exported program.
        device: where it will run.
        scaled: whether it will be given float32 images; None: unknown.

    Raises:
        UsageError: the file is something else, or takes images of another type.
        InputError: loading the program would run code.
    """
    if _torch_format(path) == "exported":
        network = _load_exported(path, device=device, scaled=scaled)
    else:
        network = _load_torchscript(path, device=device)
    for parameter in network.parameters():
        parameter.requires_grad_(False)
    return network


def _load_torchscript(path: Path, *, device: str) -> torch.nn.Module:
    import torch

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            warnings.simplefilter("ignore", DeprecationWarning)
            return torch.jit.load(path, map_location=device).eval()
    except (RuntimeError, ValueError) as error:
        raise UsageError(
            f"{path.name}: this TorchScript file cannot be loaded, it is damaged or of another "
            "version of torch. Export the network with torch.export.save, or to ONNX."
        ) from error


def _load_exported(path: Path, *, device: str, scaled: bool | None) -> torch.nn.Module:
    import torch
    from torch.export.passes import move_to_device_pass

    from genmem.features.exported_programs import refuse_code
    from genmem.features.torch_modules import ExportedNetwork

    refuse_code(path)
    try:
        program = torch.export.load(path)
        images = _exported_input(program, path, scaled=scaled)
        if device != "cpu":
            program = move_to_device_pass(program, device)
        module = program.module()
    except UsageError:
        raise
    except Exception as error:  # other versions of torch write other programs
        reason = " ".join(str(error).split())[:200]
        raise UsageError(
            f"{path.name}: torch {torch.__version__} cannot load this program: {reason}"
        ) from error
    batch = images.shape[0]
    return ExportedNetwork(module, batch if isinstance(batch, int) else None)


def _exported_input(program: Any, path: Path, *, scaled: bool | None) -> torch.Tensor:
    """The one input that a program declares."""
    names = program.graph_signature.user_inputs
    nodes = {node.name: node for node in program.graph.nodes}
    images: Any = nodes[names[0]].meta.get("val") if len(names) == 1 else None
    if getattr(images, "ndim", None) != 4 or images.shape[1] != 3:
        raise UsageError(f"{path.name}: expected a program of one input, images [b, 3, H, W].")
    if scaled is not None and images.dtype.is_floating_point != scaled:
        raise UsageError(
            f"{path.name}: takes images of {str(images.dtype).removeprefix('torch.')}; "
            + (
                "its pixels cannot be scaled: the SCALE of --preprocess (preprocess=) must be uint8"
                if scaled
                else "say how pixels are scaled, as in --preprocess imagenet,288 (preprocess=)"
            )
            + "."
        )
    return images


def load_channels_last(path: Path) -> torch.nn.Module:
    """The network in a torch file, taking [b, h, w, 3]; on the CPU."""
    from genmem.features.torch_modules import ChannelsFirst

    return ChannelsFirst(load_network(path))


def open_torch_file(
    backbone: Backbone, weights: Path | None, sha256: str | None, device: Device
) -> NetworkEngine:
    """Open torch on the chosen device."""
    del sha256
    if weights is None:
        raise UsageError(f"{backbone.name}: expected a file with a network, got none.")
    chosen = choose_device(device)
    scaled = isinstance(backbone.preprocessing, Scaled)
    network = load_network(weights, device=chosen, scaled=scaled)
    return NetworkEngine(network, device=chosen, title=backbone.name)


def _open_object(
    network: Callable[..., Any],
    backbone: Backbone,
    weights: Path | None,
    sha256: str | None,
    device: Device,
) -> NetworkEngine:
    """A module runs where its parameters are, a callable where the device says."""
    del weights, sha256
    parameters = getattr(network, "parameters", tuple)
    place = next(iter(parameters()), None)
    if place is not None and device not in ("auto", place.device.type, str(place.device)):
        raise UsageError(
            f"device: {backbone.name} is on {place.device}. Move it with .to({device!r}), or leave "
            "the device out."
        )
    chosen = choose_device(device) if place is None else str(place.device)
    return NetworkEngine(network, device=chosen, title=backbone.name)


def module_of(backbone: Backbone) -> torch.nn.Module | None:
    """The torch module that a backbone was made of; None for all other backbones."""
    engine = backbone.open_engine
    if not isinstance(engine, partial) or engine.func is not _open_object:
        return None
    return engine.args[0] if hasattr(engine.args[0], "named_parameters") else None


def backbone_of_file(path: Path, preprocess: str | None) -> Backbone:
    """Describe the backbone in a custom .onnx, TorchScript or exported file.

    Args:
        path: the file.
        preprocess: SCALE or SCALE,SIZE; None: as the module says.

    Raises:
        UsageError: the file is missing, or its network does not fit the module's rule.
    """
    if not path.is_file():
        raise UsageError(f"backbone: expected a name or a file, but there is no file {path}.")
    if path.suffix not in SUFFIXES:
        raise UsageError(
            f"backbone: expected a {', '.join(SUFFIXES)} file, got {path.name}. Save the network "
            "with torch.export.save or as ONNX."
        )
    is_onnx = path.suffix == ".onnx"
    size = _onnx_input_size(path) if is_onnx else None
    if not is_onnx:
        _torch_format(path)
    preprocessing = Identity() if preprocess is None else parse_preprocess(preprocess)
    if size is not None:
        preprocessing = _fit_square(preprocessing, size, path)
    return Backbone(
        name=path.name,
        description="a custom network",
        licence="unknown",
        dimension=None,
        input_size=size,
        preprocessing=preprocessing,
        weights=LocalFile(path=path),
        network=None if is_onnx else load_channels_last,
        open_engine=_open_onnx if is_onnx else open_torch_file,
    )


def _fit_square(preprocessing: Preprocessing, size: int, path: Path) -> Preprocessing:
    """A preprocessing whose result fits the square that an ONNX file fixes."""
    scaled = preprocessing if isinstance(preprocessing, Scaled) else None
    resizing = scaled.resizing if scaled else preprocessing
    if isinstance(resizing, Identity):
        resizing = Crop(size, None, Image.Resampling.BICUBIC)
    elif isinstance(resizing, Crop | ShorterSide) and resizing.size != size:
        raise UsageError(
            f"{path.name}: takes images of {size} × {size}, and --preprocess (preprocess=) gives "
            f"{resizing.size}; leave the size out, or use {size}x{size}."
        )
    return Scaled(resizing, scaled.scale, scaled.mean, scaled.std) if scaled else resizing


def backbone_of_object(network: Any, preprocess: str | None, name: str | None) -> Backbone:
    """Describe the backbone that a torch module or another callable is.

    Args:
        network: takes a torch tensor [b, 3, H, W].
        preprocess: SCALE or SCALE,SIZE; None: uint8, 0–255, in their own size.
        name: identifies the network's code in cache keys; None: nothing is cached.

    Raises:
        UsageError: `preprocess` is not understood, or `network` is a class.
    """
    if isinstance(network, type):
        raise UsageError(
            f"backbone: expected a module or a function, got the class {network.__name__}; give an "
            f"object of it: {network.__name__}(…)."
        )
    default = getattr(network, "__name__", None) or type(network).__name__
    return Backbone(
        name=name or default,
        description="a custom network",
        licence="unknown",
        preprocessing=Identity() if preprocess is None else parse_preprocess(preprocess),
        open_engine=partial(_open_object, network),
        digest=partial(weights_digest, network) if hasattr(network, "named_parameters") else None,
        is_cacheable=name is not None,
    )
