"""Read weights files without unpickling anything but tensors, and load them completely."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import nn

from genmem.errors import WeightsError

StateDict = Mapping[str, torch.Tensor]


def read_state_dict(path: Path) -> StateDict:
    """Read the tensors of a .safetensors or .pth file, by name, on the CPU.

    A checkpoint may hold them under "state_dict" or "model".

    Raises:
        WeightsError: the file is damaged, or holds anything but tensors.
    """
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        loaded = torch.load(path, map_location="cpu", weights_only=True)
    except MemoryError:
        raise
    # torch's reader interprets any bytes as a pickle: a text file is a KeyError, others anything.
    except Exception as error:
        raise WeightsError(
            f"cannot read the weights in {path.name}: expected a state dict of tensors, .pth or "
            f".safetensors ({str(error).splitlines()[0][:200] if str(error) else 'damaged file'})"
        ) from error
    for key in ("state_dict", "model"):
        if isinstance(loaded, Mapping) and isinstance(loaded.get(key), Mapping):
            loaded = loaded[key]
    if not isinstance(loaded, Mapping) or not all(
        isinstance(value, torch.Tensor) for value in loaded.values()
    ):
        raise WeightsError(f"{path.name} is not a state dict: expected tensors by name")
    return loaded


def wrong_weights_error(name: str, path: Path, error: Exception) -> WeightsError:
    """The error for a file that holds the weights of another network.

    Args:
        name: the network.
        path: the file.
        error: what loading the weights raised.
    """
    reason = " ".join(str(error).split())[:300]
    return WeightsError(f"{path.name} does not hold the weights of {name}: {reason}")


def load_strictly(network: nn.Module, tensors: StateDict, *, name: str, path: Path) -> None:
    """Load `tensors` into `network`; every parameter must be among them with its shape.

    Args:
        network: its parameters are replaced.
        tensors: from `read_state_dict`.
        name: the network's name, for messages.
        path: the weights file, for messages.

    Raises:
        WeightsError: the file holds the weights of another network.
    """
    try:
        network.load_state_dict(tensors, strict=True)
    except RuntimeError as error:
        raise wrong_weights_error(name, path, error) from error
