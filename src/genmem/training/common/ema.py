"""Exponential moving average of a network's weights."""

from __future__ import annotations

import copy

import torch
from torch import nn
from torch.optim.swa_utils import get_ema_multi_avg_fn

from genmem.errors import UsageError


class Ema:
    """θ̄ ← decay·θ̄ + (1 − decay)·θ after every step; buffers are copied as they are.

    Attributes:
        module: the averaged network, in evaluation mode and without gradients.
        decay: per step, in [0, 1); 0 keeps the latest weights.
    """

    def __init__(self, module: nn.Module, decay: float) -> None:
        """Start with a copy of `module`, on its device.

        Raises:
            UsageError: the decay is out of range.
        """
        if not 0 <= decay < 1:
            raise UsageError(f"EMA: expected a decay in [0, 1), got {decay}.")
        self.decay = decay
        self.module = copy.deepcopy(module).eval().requires_grad_(False)

    def update(self, module: nn.Module) -> None:
        """Average in the weights of `module`."""
        update_average(self.module, module, decay=self.decay)


@torch.no_grad()
def update_average(average: nn.Module, module: nn.Module, *, decay: float) -> None:
    """θ̄ ← decay·θ̄ + (1 − decay)·θ for parameters, in place; buffers are copied as they are."""
    averages: list[torch.Tensor] = list(average.parameters())
    weights = [parameter.detach() for parameter in module.parameters()]
    get_ema_multi_avg_fn(decay)(averages, weights, None)
    for averaged, buffer in zip(average.buffers(), module.buffers(), strict=True):
        averaged.copy_(buffer)
