"""How long processes that train together wait for one another."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from accelerate import InitProcessGroupKwargs


from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch
from torch import nn

if TYPE_CHECKING:
    from accelerate import Accelerator


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


def rows_of(accelerator: Accelerator, row: torch.Tensor) -> torch.Tensor:
    """All processes' rows [1, k], one below the other: [processes, k]."""
    if accelerator.num_processes == 1:
        return row
    return torch.as_tensor(accelerator.gather(row.to(accelerator.device)))


def average_gradients(accelerator: Accelerator, module: nn.Module) -> None:
    """Gradients and batch statistics become their means over all processes."""
    for parameter in module.parameters():
        if parameter.grad is None:
            parameter.grad = torch.zeros_like(parameter)
    shared = [parameter.grad for parameter in module.parameters() if parameter.grad is not None]
    shared += [value for name, value in module.named_buffers() if ".running_" in name]
    flat = mean_of(accelerator, torch.cat([value.flatten() for value in shared]))
    for value, mean in zip(shared, flat.split([v.numel() for v in shared]), strict=True):
        value.copy_(mean.view_as(value))


def share_power_iterations(modules: Sequence[nn.Module]) -> None:
    """The vectors of spectral norm become the first process's.

    They move on with every forward pass, and redraws differ between processes.
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


LONGEST = timedelta(days=1)
"""One process embeds training images, and measures, while the others wait; by default they would
give up after 10 or 30 minutes. A process that dies ends them all the same: its launcher sees to it.
"""


def patience() -> InitProcessGroupKwargs:
    """For `Accelerator(kwargs_handlers=…)`."""
    from accelerate import InitProcessGroupKwargs

    return InitProcessGroupKwargs(timeout=LONGEST)
