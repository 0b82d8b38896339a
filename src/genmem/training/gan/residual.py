"""Residual blocks that SAGAN and BigGAN share, and their discriminator.

Miyato and Koyama 2018, "cGANs with Projection Discriminator" (arXiv 1802.05637), appendix A: the
generator's blocks double the image's size, the discriminator's may halve it, and the class enters
the discriminator as a scalar product.
"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional

from genmem.training.gan.layers import (
    ConditionalBatchNorm,
    SelfAttention,
    convolution,
    embedding,
    linear,
)


def doubled(x: torch.Tensor) -> torch.Tensor:
    """[b, c, h, w] → [b, c, 2h, 2w], each pixel repeated."""
    return functional.interpolate(x, scale_factor=2.0, mode="nearest")


class UpBlock(nn.Module):
    """Conditional BN, ReLU, doubling, 3 × 3; conditional BN, ReLU, 3 × 3; plus doubling, 1 × 1."""

    def __init__(
        self, inputs: int, outputs: int, norms: tuple[ConditionalBatchNorm, ConditionalBatchNorm]
    ) -> None:
        super().__init__()
        self.norm1, self.norm2 = norms
        self.conv1 = convolution(inputs, outputs)
        self.conv2 = convolution(outputs, outputs)
        self.shortcut = convolution(inputs, outputs, 1)

    def forward(self, x: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
        """[b, inputs, h, w] → [b, outputs, 2h, 2w]."""
        y = self.conv1(doubled(functional.relu(self.norm1(x, condition))))
        y = self.conv2(functional.relu(self.norm2(y, condition)))
        # A 1 × 1 convolution and doubling commute; this order has a quarter of the work.
        return y + doubled(self.shortcut(x))


class DownBlock(nn.Module):
    """ReLU, 3 × 3, ReLU, 3 × 3, mean of 2 × 2 where halved; plus a 1 × 1 where the shape changes.

    The first block takes pixels: it has no ReLU before its first convolution.
    """

    def __init__(self, inputs: int, outputs: int, *, halve: bool, first: bool = False) -> None:
        super().__init__()
        self.halve, self.first = halve, first
        self.conv1 = convolution(inputs, outputs)
        self.conv2 = convolution(outputs, outputs)
        self.shortcut = convolution(inputs, outputs, 1) if halve or inputs != outputs else None

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """[b, inputs, h, w] → [b, outputs, h, w], or half of h and w."""
        y = self.conv1(x if self.first else functional.relu(x))
        y = self.conv2(functional.relu(y))
        if self.halve:
            y, x = functional.avg_pool2d(y, 2), functional.avg_pool2d(x, 2)
        return y + (x if self.shortcut is None else self.shortcut(x))


def down_plan(size: int, width: int) -> list[tuple[int, bool]]:
    """Channels and halving of the discriminator's blocks.

    Up to 32 × 32: the facts' 4 blocks of one width, halving in the first two. 64 × 64: BigGAN's
    widths 1, 2, 4, 8, 16 (its table for 128 × 128 less one block), halving in all but the last.
    """
    if size <= 32:
        return [(width, True), (width, True), (width, False), (width, False)]
    widths = [width * 2**number for number in range(5)]
    return [(width, number < 4) for number, width in enumerate(widths)]


def up_plan(size: int, width: int) -> list[int]:
    """Channels of the generator from the first feature map on, one more than it has blocks.

    Up to 32 × 32: one width throughout, as in the facts. 64 × 64: BigGAN's 16, 8, 4, 2, 1.
    """
    if size <= 32:
        return [width] * (size.bit_length() - 2)
    return [width * factor for factor in (16, 8, 4, 2, 1)]


class ProjectionDiscriminator(nn.Module):
    """Blocks, ReLU, sum over places; linear to one number, plus the class's scalar product.

    Self-attention follows the first block, where the image is halved once. No batch norm.
    """

    def __init__(self, *, size: int, width: int, classes: int, attention: bool = True) -> None:
        super().__init__()
        blocks: list[nn.Module] = []
        channels = 3
        for number, (outputs, halve) in enumerate(down_plan(size, width)):
            blocks.append(DownBlock(channels, outputs, halve=halve, first=number == 0))
            if number == 0 and attention:
                blocks.append(SelfAttention(outputs))
            channels = outputs
        self.blocks = nn.Sequential(*blocks)
        self.linear = linear(channels, 1)
        self.embedding = embedding(classes, channels)

    def forward(self, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """[b, 3, size, size] and int64 [b] → [b]."""
        h = functional.relu(self.blocks(images)).sum(dim=(2, 3))
        return self.linear(h)[:, 0] + (self.embedding(labels) * h).sum(dim=1)
