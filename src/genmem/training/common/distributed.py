"""Training in several processes: how they start, how long they wait, what they share."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import TYPE_CHECKING

import torch
from torch import nn

from genmem.errors import UsageError
from genmem.training.common.config import Device, Precision

if TYPE_CHECKING:
    from accelerate import Accelerator

TIMEOUT = timedelta(days=1)
"""How long a process waits for the others. One process embeds training images, and evaluates, while
the others wait; by default they would give up after 10 or 30 minutes. A process that dies ends them
all the same: its launcher sees to it."""


def build_accelerator(*, device: Device, precision: Precision, batch_size: int) -> Accelerator:
    """Where and in which precision to train; the processes are those that accelerate launched.

    Args:
        device: "auto" takes what accelerate finds.
        precision: of the networks' products.
        batch_size: images a step, over all processes.

    Raises:
        UsageError: accelerate, the device or the precision is not available, or the batch cannot
            be divided among the processes.
    """
    try:
        from accelerate import Accelerator, InitProcessGroupKwargs
    except ImportError as error:
        raise UsageError("training needs accelerate: pip install 'genmem[train]'.") from error
    if device == "cuda" and not torch.cuda.is_available():
        raise UsageError("device 'cuda' is not available here; use auto or cpu.")
    cpu = device == "cpu" or not torch.cuda.is_available()
    if precision == "fp16" and cpu:
        raise UsageError("precision 'fp16' needs a GPU; use full, or bf16, which a CPU can.")
    try:
        accelerator = Accelerator(
            mixed_precision="no" if precision == "full" else precision,
            cpu=cpu,
            kwargs_handlers=[InitProcessGroupKwargs(timeout=TIMEOUT)],
        )
    except ValueError as error:
        raise UsageError(
            "one process trains in one precision on one kind of device; start another process."
        ) from error
    if batch_size % accelerator.num_processes:
        raise UsageError(
            f"batch_size: expected a multiple of {accelerator.num_processes}, the number of "
            f"processes, got {batch_size}."
        )
    return accelerator


def mean_of(accelerator: Accelerator, value: torch.Tensor) -> torch.Tensor:
    """The mean of all processes' tensors of one shape."""
    if accelerator.num_processes == 1:
        return value
    return torch.as_tensor(accelerator.reduce(value, reduction="mean"))


def sum_of(accelerator: Accelerator, count: int) -> int:
    """The sum of all processes' whole numbers."""
    if accelerator.num_processes == 1:
        return count
    value = torch.tensor(float(count), device=accelerator.device)
    return int(torch.as_tensor(accelerator.reduce(value, reduction="sum")).item())


def in_any_process(accelerator: Accelerator, condition: bool) -> bool:
    """Whether something is so in any process; all of them must call this."""
    return sum_of(accelerator, int(condition)) > 0


def rows_of(accelerator: Accelerator, row: torch.Tensor) -> torch.Tensor:
    """All processes' rows [1, k], one below the other: [processes, k]."""
    if accelerator.num_processes == 1:
        return row
    return torch.as_tensor(accelerator.gather(row.to(accelerator.device)))


def average_gradients(accelerator: Accelerator, module: nn.Module) -> None:
    """Replace gradients and batch statistics by their means over all processes."""
    for parameter in module.parameters():
        if parameter.grad is None:
            parameter.grad = torch.zeros_like(parameter)
    shared = [parameter.grad for parameter in module.parameters() if parameter.grad is not None]
    shared += [value for name, value in module.named_buffers() if ".running_" in name]
    flat = mean_of(accelerator, torch.cat([value.flatten() for value in shared]))
    for value, mean in zip(shared, flat.split([v.numel() for v in shared]), strict=True):
        value.copy_(mean.view_as(value))


def share_power_iterations(modules: Sequence[nn.Module]) -> None:
    """Replace the vectors of spectral norm by the first process's.

    They change with every forward pass, and redraws differ between processes.
    """
    from accelerate.utils import broadcast

    shared = [
        value
        for module in modules
        for name, value in module.named_buffers()
        if name.endswith((".u", ".v"))
    ]
    flat = torch.as_tensor(broadcast(torch.cat(shared)))
    for value, first in zip(shared, flat.split([len(v) for v in shared]), strict=True):
        value.copy_(first)
