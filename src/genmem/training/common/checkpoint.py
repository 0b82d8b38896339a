"""Checkpoints: tensors and the run's state in one .safetensors file, written whole or not at all.

The state is JSON in the file's header; equal states give equal files. Nothing is ever unpickled,
a file with a damaged byte is refused, and a disk that fills up, or a machine that stops, while a
checkpoint is written leaves the one before it as it was.
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

from genmem.errors import InputError, UsageError
from genmem.io.atomic import atomic_write
from genmem.results import Json, to_json

FORMAT = "genmem checkpoint 1"
"""Of the header's JSON; raised when older checkpoints can no longer be read."""

CHECKPOINT_FILE = "checkpoint.safetensors"
"""The name of a run's checkpoint in its folder."""

ADAM = {"step", "exp_avg", "exp_avg_sq"}
"""What Adam keeps of each parameter."""

Tensors = dict[str, torch.Tensor]


@dataclass(frozen=True, kw_only=True)
class Checkpoint:
    """What a file holds.

    Attributes:
        tensors: by name, on the CPU.
        state: what was given to `save_checkpoint`.
        path: the file, for error messages.
    """

    tensors: Tensors
    state: dict[str, Json]
    path: Path

    def below(self, prefix: str) -> Tensors:
        """The tensors named `prefix.…`, without the prefix."""
        start = f"{prefix}."
        return {
            name.removeprefix(start): tensor
            for name, tensor in self.tensors.items()
            if name.startswith(start)
        }


def save_checkpoint(
    path: Path, *, kind: str, tensors: Mapping[str, torch.Tensor], state: Mapping[str, Json]
) -> None:
    """Write a checkpoint in the place of the one at `path`, if any, in one step.

    Args:
        path: a file ending in .safetensors.
        kind: what it is of ("diffusion", "gan"): only this is loaded again.
        tensors: by name; on any device.
        state: JSON: the step, the settings.

    Raises:
        UsageError: it cannot be written; the old file is as it was.
    """
    alone = {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}
    kept = to_json(state)
    digest = _digest(alone, kept)
    header = {"format": FORMAT, "kind": kind, "state": kept, "digest": digest}
    content = save_tensors(alone, metadata={"genmem": json.dumps(header, allow_nan=False)})
    with atomic_write(path) as file:
        file.write(content)


def load_checkpoint(path: Path, *, kind: str) -> Checkpoint:
    """Read a checkpoint.

    Raises:
        InputError: there is none, it is cut short or damaged, or of another kind or version.
    """
    header = _header(path, kind=kind)
    try:
        tensors = load_tensors(path.read_bytes())
    except (OSError, safetensors.SafetensorError, ValueError) as error:
        raise _unreadable(path, error) from error
    state, digest = header["state"], header.get("digest")
    if digest is not None and digest != _digest(tensors, state):  # None: of an older version
        raise InputError(
            f"{path}: the checkpoint is damaged: its contents and its checksum differ. Go on from "
            "another one, or start anew."
        )
    return Checkpoint(tensors=tensors, state=state, path=path)


def load_state(path: Path, *, kind: str) -> dict[str, Json]:
    """The state alone, without reading the tensors; nothing is checked against the checksum.

    Raises:
        InputError: as of `load_checkpoint`.
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
    """What `save_checkpoint` wrote beside the tensors, once it is of this format and kind."""
    try:
        path.stat()
        with safetensors.safe_open(path, "pt") as opened:
            header = json.loads((opened.metadata() or {}).get("genmem", "null"))
    except (OSError, safetensors.SafetensorError, ValueError, RecursionError) as error:
        raise _unreadable(path, error) from error
    if not isinstance(header, dict) or header.get("format") != FORMAT:
        found = header.get("format") if isinstance(header, dict) else "none of genmem's"
        raise InputError(
            f"{path}: expected a checkpoint of format {FORMAT!r}, got {found!r}. It was made by "
            "another version; go on with that one, or start anew."
        )
    if header.get("kind") != kind:
        raise InputError(
            f"{path}: expected a {kind} checkpoint, got one of {header.get('kind')!r}."
        )
    if not isinstance(header.get("state"), dict):
        raise InputError(f"{path}: the checkpoint has no state. Go on from another one.")
    return header


def _unreadable(path: Path, error: Exception) -> InputError:
    if isinstance(error, OSError):
        reason = (error.strerror or str(error)).lower()
        return InputError(f"{path}: cannot read the checkpoint: {reason}.")
    return InputError(
        f"{path}: not a checkpoint, or cut short ({error}). Go on from another one, or start anew."
    )


def module_tensors(prefix: str, module: nn.Module) -> Tensors:
    """A module's weights and buffers, named `prefix.…`."""
    return {f"{prefix}.{name}": tensor for name, tensor in module.state_dict().items()}


def load_module(module: nn.Module, prefix: str, checkpoint: Checkpoint) -> None:
    """Give a module the weights that `module_tensors` took.

    Raises:
        InputError: they are of another model.
    """
    found, expected = checkpoint.below(prefix), module.state_dict()
    wrong = sorted(found.keys() ^ expected.keys()) or [
        name for name, tensor in found.items() if tensor.shape != expected[name].shape
    ]
    if wrong:
        raise InputError(
            f"{checkpoint.path}: is of another model: {wrong[0]} is missing, too many or of "
            "another shape. Use the settings that it was trained with."
        )
    module.load_state_dict(found)


def optimizer_tensors(prefix: str, optimizer: Any) -> Tensors:
    """An optimizer's state, named `prefix.PARAMETER.NAME`; its settings are not in it."""
    state = optimizer.state_dict()["state"]
    return {
        f"{prefix}.{parameter}.{name}": torch.as_tensor(value)
        for parameter, values in state.items()
        for name, value in values.items()
        if value is not None
    }


def load_optimizer(optimizer: Any, prefix: str, checkpoint: Checkpoint) -> None:
    """Give Adam, made with the same settings, the state that `optimizer_tensors` took.

    Raises:
        InputError: it is of another model, or another optimizer's.
    """
    state: dict[int, dict[str, torch.Tensor]] = {}
    parameters = [value for group in optimizer.param_groups for value in group["params"]]
    for name, tensor in checkpoint.below(prefix).items():
        number, _, key = name.partition(".")
        place = int(number) if number.isdecimal() and len(number) < 10 else len(parameters)
        if place >= len(parameters) or tensor.shape not in (parameters[place].shape, ()):
            raise InputError(
                f"{checkpoint.path}: its optimizer is of another model: {prefix}.{name} does not "
                "fit. Use the settings that it was trained with."
            )
        state.setdefault(place, {})[key] = tensor
    odd = next((number for number, held in state.items() if held.keys() != ADAM), None)
    if odd is not None:
        raise InputError(
            f"{checkpoint.path}: expected Adam's {', '.join(sorted(ADAM))} for parameter {odd} of "
            f"{prefix}, got {', '.join(sorted(state[odd]))}. Go on from another checkpoint."
        )
    groups = optimizer.state_dict()["param_groups"]
    optimizer.load_state_dict({"state": state, "param_groups": groups})


def check_processes(checkpoint: Checkpoint, processes: int) -> None:
    """Refuse to go on in another number of processes, whose random numbers would be others.

    Checkpoints of older versions do not tell theirs.

    Raises:
        UsageError: it is another.
    """
    before = checkpoint.state.get("processes", processes)
    if before != processes:
        raise UsageError(
            f"{checkpoint.path}: the run was trained in {before} processes, now there are "
            f"{processes}: its random numbers would be others. Resume it in as many: torchrun "
            f"--nproc-per-node {before}, or accelerate launch."
        )
