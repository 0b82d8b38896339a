"""Checkpoints: tensors and the state of a run in one .safetensors file, written atomically.

The state is JSON in the file's header; equal states give equal files. Nothing is ever unpickled.
A file with a damaged byte is refused. If the disk fills up or the machine stops while a checkpoint
is written, the previous one stays intact.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

import safetensors
import torch
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors
from torch import nn

from genmem.errors import InputError, UsageError, os_reason
from genmem.io.atomic import atomic_write
from genmem.results import Json, to_json

FORMAT = "genmem checkpoint 2"
"""Format of the header and the state; increased when older checkpoints cannot be read any more."""

CHECKPOINT_FILE = "checkpoint.safetensors"
"""The checkpoint in the folder of a run."""

ADAM_STATE = {"step", "exp_avg", "exp_avg_sq"}
"""Adam's state of each parameter."""

Tensors = dict[str, torch.Tensor]


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """The contents of a checkpoint file.

    Attributes:
        tensors: by name, on the CPU.
        state: as given to `save_checkpoint`.
        path: the file, for error messages.
    """

    tensors: Tensors
    state: dict[str, Json]
    path: Path

    def below(self, prefix: str) -> Tensors:
        """The tensors named `prefix.…`, by the rest of their names."""
        start = f"{prefix}."
        return {
            name.removeprefix(start): tensor
            for name, tensor in self.tensors.items()
            if name.startswith(start)
        }


def save_checkpoint(
    path: Path, *, kind: str, tensors: Mapping[str, torch.Tensor], state: Mapping[str, Json]
) -> None:
    """Write a checkpoint, atomically replacing the one at `path`, if any.

    Args:
        path: a file ending in .safetensors.
        kind: of the checkpoint ("diffusion", "gan"); it must be the same when it is loaded.
        tensors: by name; on any device.
        state: the step, the configuration and so on, as JSON.

    Raises:
        UsageError: it cannot be written; the old file stays intact.
    """
    copies = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    state = to_json(state)
    digest = _digest(copies, state)
    header = {"format": FORMAT, "kind": kind, "state": state, "digest": digest}
    content = save_tensors(copies, metadata={"genmem": json.dumps(header, allow_nan=False)})
    with atomic_write(path) as file:
        file.write(content)


def load_checkpoint(path: Path, *, kind: str) -> Checkpoint:
    """Read a checkpoint.

    Raises:
        InputError: there is none, it is truncated or damaged, or of another kind or format.
    """
    header = _header(path, kind=kind)
    try:
        tensors = load_tensors(path.read_bytes())
    except (OSError, safetensors.SafetensorError, ValueError) as error:
        raise _unreadable(path, error) from error
    state = header["state"]
    if header.get("digest") != _digest(tensors, state):
        raise InputError(
            f"{path}: the checkpoint is damaged: its contents do not match its checksum. Resume "
            "from another one, or start a new run."
        )
    return Checkpoint(tensors=tensors, state=state, path=path)


def load_state(path: Path, *, kind: str) -> dict[str, Json]:
    """Read the state alone, without the tensors and without checking the checksum.

    Raises:
        InputError: see `load_checkpoint`.
    """
    return _header(path, kind=kind)["state"]


def _digest(tensors: Mapping[str, torch.Tensor], state: Json) -> str:
    """Hash of tensors (contiguous, on the CPU) and state, 32 hexadecimal digits."""
    hashed = blake2b(json.dumps(state, sort_keys=True).encode(), digest_size=16)
    for name, tensor in sorted(tensors.items()):
        hashed.update(f"{name} {tensor.dtype} {list(tensor.shape)}".encode())
        hashed.update(tensor.flatten().view(torch.uint8).numpy().data)
    return hashed.hexdigest()


def _header(path: Path, *, kind: str) -> dict[str, Any]:
    """What `save_checkpoint` wrote beside the tensors, checked for format and kind."""
    try:
        path.stat()
        with safetensors.safe_open(path, "pt") as opened:
            header = json.loads((opened.metadata() or {}).get("genmem", "null"))
    except (OSError, safetensors.SafetensorError, ValueError, RecursionError) as error:
        raise _unreadable(path, error) from error
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        other = header.get("format") if isinstance(header, dict) else "no genmem checkpoint"
        raise InputError(
            f"{path}: expected a checkpoint of format {FORMAT!r}, got {other!r}. Use the version "
            "that wrote it, or start a new run."
        )
    if header.get("kind") != kind:
        raise InputError(f"{path}: expected a {kind} checkpoint, got a {header.get('kind')!r} one.")
    if not isinstance(header.get("state"), dict):
        raise InputError(f"{path}: the checkpoint has no state. Resume from another one.")
    return header


def _unreadable(path: Path, error: Exception) -> InputError:
    if isinstance(error, OSError):
        reason = os_reason(error)
        return InputError(f"{path}: cannot read the checkpoint: {reason}.")
    return InputError(
        f"{path}: not a checkpoint, or truncated ({error}). Resume from another one, or start "
        "a new run."
    )


def module_tensors(prefix: str, module: nn.Module) -> Tensors:
    """A module's weights and buffers, named `prefix.…`."""
    return {f"{prefix}.{name}": tensor for name, tensor in module.state_dict().items()}


def load_module(module: nn.Module, prefix: str, checkpoint: Checkpoint) -> None:
    """Load weights and buffers that `module_tensors` saved.

    Raises:
        InputError: they do not match the model.
    """
    tensors, expected = checkpoint.below(prefix), module.state_dict()
    wrong = sorted(tensors.keys() ^ expected.keys()) or [
        name for name, tensor in tensors.items() if tensor.shape != expected[name].shape
    ]
    if wrong:
        raise InputError(
            f"{checkpoint.path}: does not match the model: {wrong[0]} is missing, unexpected or "
            "has another shape. Use the configuration that it was trained with."
        )
    module.load_state_dict(tensors)


def optimizer_tensors(prefix: str, optimizer: Any) -> Tensors:
    """The state of an optimizer, named `prefix.PARAMETER.NAME`; without its hyperparameters."""
    state = optimizer.state_dict()["state"]
    return {
        f"{prefix}.{parameter}.{name}": torch.as_tensor(value)
        for parameter, values in state.items()
        for name, value in values.items()
        if value is not None
    }


def load_optimizer(optimizer: Any, prefix: str, checkpoint: Checkpoint) -> None:
    """Load into Adam, with the same hyperparameters, the state that `optimizer_tensors` saved.

    Raises:
        InputError: it does not match the model, or is another optimizer's.
    """
    state: dict[int, dict[str, torch.Tensor]] = {}
    parameters = [value for group in optimizer.param_groups for value in group["params"]]
    for name, tensor in checkpoint.below(prefix).items():
        number, _, key = name.partition(".")
        place = int(number) if number.isdecimal() and len(number) < 10 else len(parameters)
        if place >= len(parameters) or tensor.shape not in (parameters[place].shape, ()):
            raise InputError(
                f"{checkpoint.path}: the optimizer does not match the model: {prefix}.{name} does "
                "not fit. Use the configuration that it was trained with."
            )
        state.setdefault(place, {})[key] = tensor
    for number, values in state.items():
        if values.keys() != ADAM_STATE:
            raise InputError(
                f"{checkpoint.path}: expected Adam's {', '.join(sorted(ADAM_STATE))} for parameter "
                f"{number} of {prefix}, got {', '.join(sorted(values))}. Resume from another "
                "checkpoint."
            )
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": state, "param_groups": groups})


def check_processes(checkpoint: Checkpoint, processes: int) -> None:
    """Refuse to resume in another number of processes, since random numbers depend on it.

    Raises:
        UsageError: the checkpoint was made in another number of processes.
    """
    before = checkpoint.state.get("processes", processes)
    if before != processes:
        raise UsageError(
            f"{checkpoint.path}: the run was trained in {before} processes, now there are "
            f"{processes}, which would change its random numbers. Resume it with torchrun "
            f"--nproc-per-node {before}, or accelerate launch."
        )
