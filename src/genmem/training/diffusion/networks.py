"""The U-Net of DDPM++ and NCSN++, whose every skip connection can be switched off.

From "Score-Based Generative Modeling through SDEs" (Song et al. 2021, arXiv 2011.13456, appendix H)
and the settings that table 7 of "Elucidating the Design Space" (Karras et al. 2022, arXiv
2206.00364) lists. NCSN++ differs from DDPM++ by Fourier features for the noise level, filtered
resampling, and the image itself fed in at every resolution ("residual" progressive input).

Departures. NCSN++ has twice as many Fourier features as the network is wide (Karras's code has
channel_mult_noise=2); here there are as many as positional ones, the width, so that changing the
time embedding changes nothing else. A label's vector starts at N(0, 1), as torch's tables do, not
as a linear layer on one-hot labels would. The last weights of a block start at √1e-5 of Xavier's
range, where those codes take 1e-5 or less: as good as nothing all the same.

With L resolutions and B blocks each, the encoder makes L·(B + 1) tensors that the decoder takes
back: at each resolution one from the first convolution or the block that halves, and B from the
blocks, numbered from 0 in that order.
"""

from __future__ import annotations

import math
from itertools import pairwise

import torch
from torch import nn
from torch.nn import functional

from genmem.errors import InputError
from genmem.training.diffusion.config import UNetConfig
from genmem.training.diffusion.layers import (
    NEARLY_ZERO,
    SQRT_HALF,
    Block,
    Resample,
    convolution,
    group_norm,
    linear,
)


class Positional(nn.Module):
    """Sines and cosines at frequencies from 1 down to 1/10,000, in geometric steps.

    "Denoising Diffusion Probabilistic Models" (Ho et al. 2020), after the Transformer: for
    frequencies ωⱼ = 10000^(−j/(c/2)) the embedding of a noise level t is (cos tωⱼ, sin tωⱼ)ⱼ.
    """

    frequencies: torch.Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        places = torch.arange(channels // 2, dtype=torch.float32) / (channels // 2)
        self.register_buffer("frequencies", 10_000.0**-places, persistent=False)

    def forward(self, level: torch.Tensor) -> torch.Tensor:
        """[b] → [b, channels]."""
        angles = level.float()[:, None] * self.frequencies
        return torch.cat([angles.cos(), angles.sin()], dim=1)


class Fourier(nn.Module):
    """Sines and cosines of 2π·fⱼ·t with fⱼ ~ N(0, scale²), drawn once and kept.

    NCSN++ ("Score-Based Generative Modeling through SDEs", Song et al. 2021, appendix H.2), after
    Tancik et al. 2020; scale 16. Song's networks take 2·width of them, ours `channels` = width.
    """

    frequencies: torch.Tensor

    def __init__(self, channels: int, scale: float = 16.0) -> None:
        super().__init__()
        self.register_buffer("frequencies", torch.randn(channels // 2) * scale)

    def forward(self, level: torch.Tensor) -> torch.Tensor:
        """[b] → [b, channels]."""
        angles = level.float()[:, None] * (2 * math.pi * self.frequencies)
        return torch.cat([angles.cos(), angles.sin()], dim=1)


class UNet(nn.Module):
    """F(x, noise level, labels): [b, C, H, W] → the same shape."""

    def __init__(self, config: UNetConfig) -> None:
        super().__init__()
        self.config = config
        width = config.channels
        condition = 4 * width
        widths = [multiplier * width for multiplier in config.multipliers]
        self.level = Positional(width) if config.time_embedding == "positional" else Fourier(width)
        # A vector for each class, as a linear layer on one-hot labels.
        self.label = nn.Embedding(config.classes, width) if config.classes else None
        self.condition = nn.Sequential(
            linear(width, condition), nn.SiLU(), linear(condition, condition), nn.SiLU()
        )
        self.first = convolution(config.image_channels, width, 3)
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        channels, fed_channels, skips = width, config.image_channels, list[int]()
        for side, outputs in zip(config.resolutions, widths, strict=True):
            down = Down(
                config,
                side=side,
                inputs=channels,
                outputs=outputs,
                fed_channels=fed_channels,
                condition=condition,
            )
            self.down.append(down)
            skips += down.widths
            fed_channels = config.image_channels if side == config.image_size else channels
            channels = outputs
        options = {"embedding": condition, "dropout": config.dropout}
        self.middle = nn.ModuleList(
            Block(channels, channels, attention=attention, **options) for attention in (True, False)
        )
        for side, outputs in reversed([*zip(config.resolutions, widths, strict=True)]):
            skip_channels = [skips.pop() for _ in range(config.blocks + 1)]
            self.up.append(
                Up(
                    config,
                    side=side,
                    inputs=channels,
                    outputs=outputs,
                    skip_channels=skip_channels,
                    condition=condition,
                )
            )
            channels = outputs
        self.norm = group_norm(channels)
        self.last = convolution(channels, config.image_channels, 3, scale=NEARLY_ZERO)

    def forward(
        self, x: torch.Tensor, level: torch.Tensor, labels: torch.Tensor | None = None
    ) -> torch.Tensor:
        """The network's output.

        Args:
            x: [b, C, H, W].
            level: c_noise(σ), [b].
            labels: int64 [b], for a network with classes.

        Raises:
            InputError: another shape of images, or labels missing or too many.
        """
        self._check(x, labels)
        condition = self.level(level).to(x.dtype)
        if self.label is not None and labels is not None:
            condition = condition + self.label(labels)
        condition = self.condition(condition)
        h, image, skips = self.first(x), x, []
        for down in self.down:
            h, image = down(h, image, condition, skips)
        for block in self.middle:
            h = block(h, condition)
        for up in self.up:
            h = up(h, condition, skips)
        return self.last(functional.silu(self.norm(h)))

    def _check(self, x: torch.Tensor, labels: torch.Tensor | None) -> None:
        expected = self.config.image_shape
        if tuple(x.shape[1:]) != expected:
            raise InputError(
                f"network: expected images of shape {list(expected)}, got {list(x.shape[1:])}."
            )
        if (labels is None) != (self.label is None):
            raise InputError(
                f"network: it is conditioned on {self.config.classes} classes; labels are missing."
                if labels is None
                else "network: it has no classes, but labels were given."
            )


class Down(nn.Module):
    """One resolution of the encoder.

    Attributes:
        widths: channels of the tensors that the decoder takes, in order.
    """

    def __init__(
        self,
        config: UNetConfig,
        *,
        side: int,
        inputs: int,
        outputs: int,
        fed_channels: int,
        condition: int,
    ) -> None:
        super().__init__()
        first = side == config.image_size
        options = {"embedding": condition, "dropout": config.dropout}
        self.shrink = self.image = None
        if not first:
            self.shrink = Block(
                inputs, inputs, resample="down", resampling=config.resampling, **options
            )
            if config.progressive_input:
                self.image = nn.Sequential(
                    Resample("down", config.resampling), convolution(fed_channels, inputs, 3)
                )
        attends = side in config.attention
        sizes = [inputs, *[outputs] * config.blocks]
        self.blocks = nn.ModuleList(
            Block(before, after, attention=attends, **options) for before, after in pairwise(sizes)
        )
        self.widths = sizes

    def forward(
        self,
        h: torch.Tensor,
        image: torch.Tensor,
        condition: torch.Tensor,
        skips: list[torch.Tensor],
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Features and the downsampled image; `skips` gets the tensors for the decoder."""
        if self.shrink is not None:
            h = self.shrink(h, condition)
        if self.image is not None:
            image = h = (h + self.image(image)) * SQRT_HALF
        skips.append(h)
        for block in self.blocks:
            h = block(h, condition)
            skips.append(h)
        return h, image


class Up(nn.Module):
    """One resolution of the decoder, which takes the encoder's tensors."""

    def __init__(
        self,
        config: UNetConfig,
        *,
        side: int,
        inputs: int,
        outputs: int,
        skip_channels: list[int],
        condition: int,
    ) -> None:
        super().__init__()
        options = {"embedding": condition, "dropout": config.dropout}
        last = side == config.resolutions[-1]
        self.grow = None
        if not last:
            self.grow = Block(
                inputs, inputs, resample="up", resampling=config.resampling, **options
            )
        before = [inputs, *[outputs] * config.blocks]
        attends = [False] * config.blocks + [side in config.attention]
        self.blocks = nn.ModuleList(
            Block(channels + skip, outputs, attention=attention, **options)
            for channels, skip, attention in zip(before, skip_channels, attends, strict=True)
        )
        off = config.without_skips
        self.enabled = [name not in off and str(side) not in off for name in config.skips[side]]

    def forward(
        self, h: torch.Tensor, condition: torch.Tensor, skips: list[torch.Tensor]
    ) -> torch.Tensor:
        """Features at this resolution; the tensors are popped from the end of `skips`."""
        if self.grow is not None:
            h = self.grow(h, condition)
        for block, enabled in zip(self.blocks, reversed(self.enabled), strict=True):
            skip = skips.pop()
            h = block(torch.cat([h, skip if enabled else torch.zeros_like(skip)], dim=1), condition)
        return h
