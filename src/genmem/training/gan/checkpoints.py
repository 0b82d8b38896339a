"""Checkpoints: one safetensors file with the state's JSON in its header, replaced in one step.

Nothing is pickled. What is random in a step depends on the seed, the step and the process alone,
so a checkpoint holds no state of a random number generator, and a run that is resumed takes every
step that the uninterrupted one takes, to the bit on a CPU.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save

from genmem.errors import InputError, UsageError
from genmem.report.files import written_whole
from genmem.results import Json

FORMAT = "genmem gan checkpoint 1"
"""To be raised when the state of a training changes meaning."""

_ENTRY = "genmem"

FILE = "checkpoint.safetensors"


def write_checkpoint(path: Path, tensors: Mapping[str, torch.Tensor], state: Json) -> None:
    """Write a checkpoint, whole or not at all: on any failure the old one stays as it was.

    Raises:
        UsageError: the file cannot be written (a full disk).
    """
    # One entry only: safetensors keeps several in no order, and equal states give equal files.
    header = {_ENTRY: json.dumps({"format": FORMAT, "state": state}, allow_nan=False)}
    content = save({name: value.contiguous() for name, value in tensors.items()}, header)
    with written_whole(path) as file:
        file.write(content)


def read_state(path: Path) -> dict[str, Any]:
    """The JSON in a checkpoint's header.

    Raises:
        InputError: no checkpoint, damaged, or of a version that this genmem does not know.
    """
    try:
        with safe_open(path, framework="pt") as file:
            header = file.metadata() or {}
    except FileNotFoundError as error:
        raise InputError(f"{path}: there is no checkpoint to resume from.") from error
    except (SafetensorError, OSError) as error:
        raise InputError(f"{path}: not a checkpoint, or damaged: {error}.") from error
    document = json.loads(header.get(_ENTRY, "{}"))
    if document.get("format") != FORMAT:
        found = document.get("format", "something else")
        raise InputError(
            f"{path}: expected {FORMAT!r}, got {found!r}. Resume it with the genmem that wrote it, "
            "or start another run."
        )
    return document["state"]


def read_tensors(path: Path) -> dict[str, torch.Tensor]:
    """A checkpoint's tensors by name, on the CPU."""
    with safe_open(path, framework="pt") as file:
        return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118


def module_tensors(name: str, module: torch.nn.Module) -> dict[str, torch.Tensor]:
    """A module's parameters and buffers as `name/…`."""
    return {f"{name}/{key}": value for key, value in module.state_dict().items()}


def load_module(name: str, module: torch.nn.Module, tensors: Mapping[str, torch.Tensor]) -> None:
    """Put `name/…` into a module.

    Raises:
        UsageError: the tensors are not this module's.
    """
    own = _below(name, tensors)
    try:
        module.load_state_dict(own)
    except RuntimeError as error:
        raise UsageError(
            f"the checkpoint's {name} is another model's: {str(error).splitlines()[-1].strip()}"
        ) from error


def optimizer_tensors(name: str, optimizer: torch.optim.Optimizer) -> dict[str, torch.Tensor]:
    """An optimizer's state as `name/parameter/…`; its settings are the run's."""
    return {
        f"{name}/{number}/{key}": value
        for number, state in optimizer.state_dict()["state"].items()
        for key, value in state.items()
    }


def load_optimizer(
    name: str, optimizer: torch.optim.Optimizer, tensors: Mapping[str, torch.Tensor]
) -> None:
    """Put `name/parameter/…` into an optimizer."""
    state: dict[int, dict[str, torch.Tensor]] = {}
    for key, value in _below(name, tensors).items():
        number, _, what = key.partition("/")
        state.setdefault(int(number), {})[what] = value
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": state, "param_groups": groups})


def _below(name: str, tensors: Mapping[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    start = f"{name}/"
    return {key[len(start) :]: value for key, value in tensors.items() if key.startswith(start)}
