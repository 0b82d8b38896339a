"""A moving average of the generator's weights, from which samples are drawn."""

from __future__ import annotations

import torch
from torch import nn


@torch.no_grad()
def update_average(average: nn.Module, model: nn.Module, *, decay: float) -> None:
    """θ̄ ← decay · θ̄ + (1 − decay) · θ for parameters; buffers (batch statistics, u, v) are copied.

    With decay 0, which is how the average starts, it equals the model.
    """
    for mean, value in zip(average.parameters(), model.parameters(), strict=True):
        mean.lerp_(value, 1 - decay)
    for mean, value in zip(average.buffers(), model.buffers(), strict=True):
        mean.copy_(value)
