"""Networks of the GANs: DCGAN, SAGAN, BigGAN, and which of them a configuration asks for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional

from genmem.errors import InputError, UsageError
from genmem.training.gan.config import GanConfig
from genmem.training.gan.layers import (
    BATCH_NORM_EPS,
    ConditionalBatchNorm,
    SelfAttention,
    class_batch_norm,
    convolution,
    embedding,
    linear,
    linear_batch_norm,
    transposed,
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

    Up to 32 × 32: 4 blocks of one width, halving in the first two. 64 × 64: BigGAN's
    widths 1, 2, 4, 8, 16 (its table for 128 × 128 less one block), halving in all but the last.
    """
    if size <= 32:
        return [(width, True), (width, True), (width, False), (width, False)]
    widths = [width * 2**number for number in range(5)]
    return [(width, number < 4) for number, width in enumerate(widths)]


def up_plan(size: int, width: int) -> list[int]:
    """Channels of the generator from the first feature map on, one more than it has blocks.

    Up to 32 × 32: one width throughout. 64 × 64: BigGAN's 16, 8, 4, 2, 1.
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


class _ResidualGenerator(nn.Module):
    """Blocks from 4 × 4 pixels up, batch norm and a convolution to an image in [−1, 1].

    Self-attention comes before the last block: at 16 × 16 for 32 × 32 pixels.
    """

    def build(
        self,
        plan: list[int],
        inputs: int,
        batch_norm: Callable[[int], ConditionalBatchNorm],
        *,
        attention: bool,
    ) -> None:
        """Make the layers; a subclass makes its own before, so that weights are drawn in order."""
        self.linear = linear(inputs, 16 * plan[0])
        self.blocks = nn.ModuleList(
            UpBlock(before, after, (batch_norm(before), batch_norm(after)))
            for before, after in pairwise(plan)
        )
        self.attention = SelfAttention(plan[-2]) if attention else None
        self.norm = nn.BatchNorm2d(plan[-1], eps=BATCH_NORM_EPS)
        self.out = convolution(plan[-1], 3)

    def images(self, z: torch.Tensor, conditions: Sequence[torch.Tensor]) -> torch.Tensor:
        """[b, inputs] and a condition for each block → [b, 3, size, size]."""
        x = self.linear(z).unflatten(1, (-1, 4, 4))
        for number, (block, condition) in enumerate(zip(self.blocks, conditions, strict=True)):
            x = block(x, condition)
            if number == len(self.blocks) - 2 and self.attention is not None:
                x = self.attention(x)
        return torch.tanh(self.out(functional.relu(self.norm(x))))


class BigGanGenerator(_ResidualGenerator):
    """z and class → image in [−1, 1]; a chunk of z goes to the first layer and to each block."""

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
        chunks = len(plan)
        if z % chunks:
            raise UsageError(
                f"z_dim: expected a multiple of {chunks} at {size} × {size} pixels (a chunk for "
                f"the first layer and one for each of {chunks - 1} blocks), got {z}."
            )
        self.z, self.chunk = z, z // chunks
        self.shared = embedding(classes, shared, spectral=False)
        condition = shared + self.chunk
        self.build(
            plan,
            self.chunk,
            lambda channels: linear_batch_norm(channels, condition),
            attention=attention,
        )

    def forward(self, z: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """[b, z] and int64 [b] → [b, 3, size, size]."""
        shared = self.shared(labels)
        first, *others = z.split(self.chunk, dim=1)
        return self.images(first, [torch.cat([shared, chunk], dim=1) for chunk in others])


class SaganGenerator(_ResidualGenerator):
    """z and class → image in [−1, 1]."""

    def __init__(
        self, *, size: int, width: int, classes: int, z: int, attention: bool = True
    ) -> None:
        super().__init__()
        self.z = z
        plan = up_plan(size, width)
        self.build(
            plan, z, lambda channels: class_batch_norm(channels, classes), attention=attention
        )

    def forward(self, z: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """[b, z] and int64 [b] → [b, 3, size, size]."""
        return self.images(z, [labels] * len(self.blocks))


def _widths(size: int, width: int) -> list[int]:
    """Channels from the image's side to 4 × 4: width, 2·width, 4·width, …"""
    return [width * 2**number for number in range(size.bit_length() - 3)]


class DcganGenerator(nn.Module):
    """z → image in [−1, 1]; labels are ignored."""

    def __init__(self, *, size: int, width: int, z: int) -> None:
        super().__init__()
        widths = _widths(size, width)[::-1]
        self.z = z
        self.linear = linear(z, 16 * widths[0], spectral=False)
        layers: list[nn.Module] = [nn.BatchNorm2d(widths[0], eps=BATCH_NORM_EPS), nn.ReLU()]
        for inputs, outputs in pairwise(widths):
            layers += [
                transposed(inputs, outputs, spectral=False),
                nn.BatchNorm2d(outputs, eps=BATCH_NORM_EPS),
                nn.ReLU(),
            ]
        self.layers = nn.Sequential(*layers, transposed(widths[-1], 3, spectral=False), nn.Tanh())

    def forward(self, z: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """[b, z] → [b, 3, size, size]."""
        del labels
        return self.layers(self.linear(z).unflatten(1, (-1, 4, 4)))


class DcganDiscriminator(nn.Module):
    """Image → one number; labels are ignored."""

    def __init__(self, *, size: int, width: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        channels = 3
        for outputs in _widths(size, width):
            layers += [convolution(channels, outputs, 4, stride=2), nn.LeakyReLU(0.2)]
            channels = outputs
        self.layers = nn.Sequential(*layers)
        self.linear = linear(16 * channels, 1)

    def forward(self, images: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        """[b, 3, size, size] → [b]."""
        del labels
        return self.linear(self.layers(images).flatten(1))[:, 0]


def build_generator(config: GanConfig, *, classes: int) -> nn.Module:
    """z [b, z] and labels [b] → images [b, 3, size, size] in [−1, 1]."""
    size, width, z = config.size, config.width, config.z_dim
    if config.model == "dcgan":
        return DcganGenerator(size=size, width=width, z=z)
    network = SaganGenerator if config.model == "sagan" else BigGanGenerator
    return network(size=size, width=width, classes=classes, z=z, attention=config.self_attention)


def build_discriminator(config: GanConfig, *, classes: int) -> nn.Module:
    """Images [b, 3, size, size] and labels [b] → scores [b]."""
    size, width = config.size, config.discriminator_width
    if config.model == "dcgan":
        return DcganDiscriminator(size=size, width=width)
    return ProjectionDiscriminator(
        size=size, width=width, classes=classes, attention=config.self_attention
    )


def build_networks(config: GanConfig, *, classes: int) -> tuple[nn.Module, nn.Module]:
    """Generator and discriminator with the weights that the seed decides.

    Raises:
        InputError: the model needs classes, and the images have one.
        UsageError: z does not divide into BigGAN's chunks.
    """
    if config.knows_classes and classes < 2:
        raise InputError(
            f"{config.train}: {config.model} is conditioned on classes, and found one. Put each "
            "class in a folder of its own, or take --model dcgan, which needs none."
        )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(config.seed)
        return (
            build_generator(config, classes=classes),
            build_discriminator(config, classes=classes),
        )
