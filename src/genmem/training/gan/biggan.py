"""BigGAN's generator: z in chunks, one to the first layer and one to each block.

Brock et al. 2019, "Large Scale GAN Training for High Fidelity Natural Image Synthesis" (arXiv
1809.11096), at the sizes of the CIFAR-10 models that Memorization Rejection studied: z = 80 =
4 × 20, a shared class embedding of 128, 9,416,196 parameters.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional

from genmem.errors import UsageError
from genmem.training.gan.layers import (
    BATCH_NORM_EPS,
    SelfAttention,
    convolution,
    embedding,
    linear,
    linear_batch_norm,
)
from genmem.training.gan.residual import UpBlock, up_plan


class BigGanGenerator(nn.Module):
    """z and class → image in [−1, 1]."""

    def __init__(
        self,
        *,
        size: int,
        width: int,
        classes: int,
        z: int,
        shared: int = 128,
        attention: bool = True,
    ) -> None:
        super().__init__()
        plan = up_plan(size, width)
        chunks = len(plan)  # one for the linear layer, one for each block
        if z % chunks:
            raise UsageError(
                f"z: expected a multiple of {chunks} at {size} × {size} pixels (a chunk for the "
                f"first layer and one for each of {chunks - 1} blocks), got {z}."
            )
        self.z, self.chunk = z, z // chunks
        self.shared = embedding(classes, shared, spectral=False)
        self.linear = linear(self.chunk, 16 * plan[0])
        condition = shared + self.chunk
        self.blocks = nn.ModuleList(
            UpBlock(
                inputs,
                outputs,
                (linear_batch_norm(inputs, condition), linear_batch_norm(outputs, condition)),
            )
            for inputs, outputs in pairwise(plan)
        )
        self.attention = SelfAttention(plan[-2]) if attention else None
        self.norm = nn.BatchNorm2d(plan[-1], eps=BATCH_NORM_EPS)
        self.out = convolution(plan[-1], 3)

    def forward(self, z: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """[b, z] and int64 [b] → [b, 3, size, size]."""
        shared = self.shared(labels)
        first, *others = z.split(self.chunk, dim=1)
        x = self.linear(first).unflatten(1, (-1, 4, 4))
        for number, (block, chunk) in enumerate(zip(self.blocks, others, strict=True)):
            x = block(x, torch.cat([shared, chunk], dim=1))
            if number == len(self.blocks) - 2 and self.attention is not None:
                x = self.attention(x)  # at half the image's side: 16 × 16 for 32 × 32
        return torch.tanh(self.out(functional.relu(self.norm(x))))
