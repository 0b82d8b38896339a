"""SAGAN's generator: the residual one with self-attention and class-conditional batch norm.

Zhang et al. 2019, "Self-Attention Generative Adversarial Networks" (arXiv 1805.08318), at the
sizes of the CIFAR-10 models that Memorization Rejection studied: 4,386,308 parameters.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional

from genmem.training.gan.layers import (
    BATCH_NORM_EPS,
    SelfAttention,
    class_batch_norm,
    convolution,
    linear,
)
from genmem.training.gan.residual import UpBlock, up_plan


class SaganGenerator(nn.Module):
    """z and class → image in [−1, 1]."""

    def __init__(
        self, *, size: int, width: int, classes: int, z: int, attention: bool = True
    ) -> None:
        super().__init__()
        plan = up_plan(size, width)
        self.z = z
        self.linear = linear(z, 16 * plan[0])
        self.blocks = nn.ModuleList(
            UpBlock(
                inputs,
                outputs,
                (class_batch_norm(inputs, classes), class_batch_norm(outputs, classes)),
            )
            for inputs, outputs in pairwise(plan)
        )
        self.attention = SelfAttention(plan[-2]) if attention else None
        self.norm = nn.BatchNorm2d(plan[-1], eps=BATCH_NORM_EPS)
        self.out = convolution(plan[-1], 3)

    def forward(self, z: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """[b, z] and int64 [b] → [b, 3, size, size]."""
        x = self.linear(z).unflatten(1, (-1, 4, 4))
        for number, block in enumerate(self.blocks):
            x = block(x, labels)
            if number == len(self.blocks) - 2 and self.attention is not None:
                x = self.attention(x)  # at half the image's side: 16 × 16 for 32 × 32
        return torch.tanh(self.out(functional.relu(self.norm(x))))
