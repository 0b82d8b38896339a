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
        told = 4 * width
        widths = [multiplier * width for multiplier in config.multipliers]
        self.level = Positional(width) if config.time_embedding == "positional" else Fourier(width)
        # A vector a class: what a linear layer makes of one-hot labels.
        self.label = nn.Embedding(config.classes, width) if config.classes else None
        self.told = nn.Sequential(linear(width, told), nn.SiLU(), linear(told, told), nn.SiLU())
        self.first = convolution(config.image_channels, width, 3)
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        channels, fed, skips = width, config.image_channels, list[int]()
        for side, outputs in zip(config.resolutions, widths, strict=True):
            down = Down(config, side=side, inputs=channels, outputs=outputs, fed=fed, told=told)
            self.down.append(down)
            skips += down.widths
            fed = config.image_channels if side == config.image_size else channels
            channels = outputs
        how = {"embedding": told, "dropout": config.dropout}
        self.middle = nn.ModuleList(
            Block(channels, channels, attention=attention, **how) for attention in (True, False)
        )
        for side, outputs in reversed([*zip(config.resolutions, widths, strict=True)]):
            taken = [skips.pop() for _ in range(config.blocks + 1)]
            self.up.append(
                Up(config, side=side, inputs=channels, outputs=outputs, taken=taken, told=told)
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
        told = self.level(level).to(x.dtype)
        if self.label is not None and labels is not None:
            told = told + self.label(labels)
        told = self.told(told)
        h, image, skips = self.first(x), x, []
        for down in self.down:
            h, image = down(h, image, told, skips)
        for block in self.middle:
            h = block(h, told)
        for up in self.up:
            h = up(h, told, skips)
        return self.last(functional.silu(self.norm(h)))

    def _check(self, x: torch.Tensor, labels: torch.Tensor | None) -> None:
        expected = self.config.image_shape
        if tuple(x.shape[1:]) != expected:
            raise InputError(
                f"network: expected images of shape {list(expected)}, got {list(x.shape[1:])}."
            )
        if (labels is None) != (self.label is None):
            raise InputError(
                f"network: it is told one of {self.config.classes} classes; labels are missing."
                if labels is None
                else "network: it was made without classes, but labels are given."
            )


class Down(nn.Module):
    """One resolution of the encoder.

    Attributes:
        widths: channels of the tensors that it leaves for the decoder, in order.
    """

    def __init__(
        self, config: UNetConfig, *, side: int, inputs: int, outputs: int, fed: int, told: int
    ) -> None:
        super().__init__()
        first = side == config.image_size
        how = {"embedding": told, "dropout": config.dropout}
        self.shrink = self.image = None
        if not first:
            self.shrink = Block(
                inputs, inputs, resample="down", resampling=config.resampling, **how
            )
            if config.progressive_input:
                self.image = nn.Sequential(
                    Resample("down", config.resampling), convolution(fed, inputs, 3)
                )
        attends = side in config.attention
        sizes = [inputs, *[outputs] * config.blocks]
        self.blocks = nn.ModuleList(
            Block(before, after, attention=attends, **how) for before, after in pairwise(sizes)
        )
        self.widths = sizes

    def forward(
        self, h: torch.Tensor, image: torch.Tensor, told: torch.Tensor, skips: list[torch.Tensor]
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Features and what is left of the image; what the decoder takes goes onto `skips`."""
        if self.shrink is not None:
            h = self.shrink(h, told)
        if self.image is not None:
            image = h = (h + self.image(image)) * SQRT_HALF
        skips.append(h)
        for block in self.blocks:
            h = block(h, told)
            skips.append(h)
        return h, image


class Up(nn.Module):
    """One resolution of the decoder, which takes the encoder's tensors back."""

    def __init__(
        self,
        config: UNetConfig,
        *,
        side: int,
        inputs: int,
        outputs: int,
        taken: list[int],
        told: int,
    ) -> None:
        super().__init__()
        how = {"embedding": told, "dropout": config.dropout}
        last = side == config.resolutions[-1]
        self.grow = None
        if not last:
            self.grow = Block(inputs, inputs, resample="up", resampling=config.resampling, **how)
        before = [inputs, *[outputs] * config.blocks]
        attends = [False] * config.blocks + [side in config.attention]
        self.blocks = nn.ModuleList(
            Block(channels + skip, outputs, attention=attention, **how)
            for channels, skip, attention in zip(before, taken, attends, strict=True)
        )
        off = config.without_skips
        self.kept = [name not in off and str(side) not in off for name in config.skips[side]]

    def forward(
        self, h: torch.Tensor, told: torch.Tensor, skips: list[torch.Tensor]
    ) -> torch.Tensor:
        """Features at this resolution; `skips` are taken off their end."""
        if self.grow is not None:
            h = self.grow(h, told)
        for block, kept in zip(self.blocks, reversed(self.kept), strict=True):
            skip = skips.pop()
            h = block(torch.cat([h, skip if kept else torch.zeros_like(skip)], dim=1), told)
        return h
