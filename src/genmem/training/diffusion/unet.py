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

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Literal

import torch
from torch import nn
from torch.nn import functional

from genmem.errors import InputError, UsageError
from genmem.training.diffusion.embeddings import Fourier, Positional
from genmem.training.diffusion.layers import (
    NEARLY_ZERO,
    SQRT_HALF,
    Block,
    Resample,
    Resampling,
    convolution,
    group_norm,
    linear,
)
from genmem.training.kinds import check_kinds

DEFAULT_ATTENTION = (16,)


@dataclass(frozen=True, kw_only=True)
class UNetSettings:
    """What the network is made of; the defaults are DDPM++ as the memorization paper trains it.

    Attributes:
        image_size: height and width, divisible by 2 once for every multiplier but the first.
        image_channels: of the images.
        channels: the width; every level has a multiple of it.
        multipliers: one a resolution, the highest first.
        blocks: residual blocks a resolution, in the encoder; the decoder has one more.
        attention: resolutions with self-attention, of those there are; the default also where there
            is no such resolution.
        dropout: in every block.
        time_embedding: how the noise level is told.
        resampling: by means and repetition, or filtered.
        progressive_input: feed the image in at every resolution.
        classes: labels the network is told; 0: none. Unique labels are one class an image.
        without_skips: skip connections whose tensor is zeroed where the decoder takes it: "32"
            for all at 32 × 32, "32.1" for the second there.
    """

    image_size: int = 32
    image_channels: int = 3
    channels: int = 128
    multipliers: tuple[int, ...] = (2, 2, 2)
    blocks: int = 2
    attention: tuple[int, ...] = DEFAULT_ATTENTION
    dropout: float = 0.13
    time_embedding: Literal["positional", "fourier"] = "positional"
    resampling: Resampling = "box"
    progressive_input: bool = False
    classes: int = 0
    without_skips: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        check_kinds(self)
        halvings = len(self.multipliers) - 1
        if halvings < 0 or min(self.multipliers, default=1) < 1 or self.blocks < 1:
            raise UsageError(
                "network: expected at least one resolution, one block, multipliers ≥ 1"
            )
        if self.channels < 4 or self.channels % 4:
            raise UsageError(f"network: expected a multiple of 4 channels, got {self.channels}.")
        if self.image_channels < 1:
            raise UsageError(
                f"network: expected images of at least 1 channel, got {self.image_channels}."
            )
        if self.image_size < 1 or self.image_size % 2**halvings or not self.resolutions[-1]:
            raise UsageError(
                f"network: {halvings + 1} resolutions need images whose side is a multiple of "
                f"{2**halvings}, got {self.image_size}. Give fewer multipliers or another size."
            )
        if not 0 <= self.dropout < 1:
            raise UsageError(f"network: expected dropout in [0, 1), got {self.dropout}.")
        if self.classes < 0:
            raise UsageError(f"network: expected 0 or more classes, got {self.classes}.")
        if self.attention != DEFAULT_ATTENTION:
            self.check_attention()
        known = {name for names in self.skips.values() for name in names}
        known |= {str(side) for side in self.skips}
        unknown = [name for name in self.without_skips if name not in known]
        if unknown:
            raise UsageError(
                f"network: no skip connection {unknown[0]!r}; there are {', '.join(sorted(known))}."
            )

    def check_attention(self) -> None:
        """Raise UsageError where attention is asked for at a resolution that there is not."""
        for side in self.attention:
            if side not in self.resolutions:
                raise UsageError(
                    f"attention: expected some of {', '.join(map(str, self.resolutions))}, the "
                    f"sides of the network's feature maps, or none; got {side}."
                )

    @property
    def resolutions(self) -> tuple[int, ...]:
        """The sides of the feature maps, the highest first."""
        return tuple(self.image_size >> level for level in range(len(self.multipliers)))

    @property
    def skips(self) -> dict[int, tuple[str, ...]]:
        """Names of the skip connections at each resolution, as the encoder makes them."""
        return {
            side: tuple(f"{side}.{number}" for number in range(self.blocks + 1))
            for side in self.resolutions
        }

    @property
    def image_shape(self) -> tuple[int, int, int]:
        """[C, H, W] of one image."""
        return self.image_channels, self.image_size, self.image_size


def ncsnpp(settings: UNetSettings) -> UNetSettings:
    """The same network in NCSN++'s manner."""
    return replace(settings, time_embedding="fourier", resampling="fir", progressive_input=True)


class UNet(nn.Module):
    """F(x, noise level, labels): [b, C, H, W] → the same shape."""

    def __init__(self, settings: UNetSettings) -> None:
        super().__init__()
        self.settings = settings
        width = settings.channels
        told = 4 * width
        widths = [multiplier * width for multiplier in settings.multipliers]
        self.level = (
            Positional(width) if settings.time_embedding == "positional" else Fourier(width)
        )
        # A vector a class: what a linear layer makes of one-hot labels.
        self.label = nn.Embedding(settings.classes, width) if settings.classes else None
        self.told = nn.Sequential(linear(width, told), nn.SiLU(), linear(told, told), nn.SiLU())
        self.first = convolution(settings.image_channels, width, 3)
        self.down, self.up = nn.ModuleList(), nn.ModuleList()
        channels, fed, skips = width, settings.image_channels, list[int]()
        for side, outputs in zip(settings.resolutions, widths, strict=True):
            down = Down(settings, side=side, inputs=channels, outputs=outputs, fed=fed, told=told)
            self.down.append(down)
            skips += down.widths
            fed = settings.image_channels if side == settings.image_size else channels
            channels = outputs
        how = {"embedding": told, "dropout": settings.dropout}
        self.middle = nn.ModuleList(
            Block(channels, channels, attention=attention, **how) for attention in (True, False)
        )
        for side, outputs in reversed([*zip(settings.resolutions, widths, strict=True)]):
            taken = [skips.pop() for _ in range(settings.blocks + 1)]
            self.up.append(
                Up(settings, side=side, inputs=channels, outputs=outputs, taken=taken, told=told)
            )
            channels = outputs
        self.norm = group_norm(channels)
        self.last = convolution(channels, settings.image_channels, 3, scale=NEARLY_ZERO)

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
        expected = self.settings.image_shape
        if tuple(x.shape[1:]) != expected:
            raise InputError(
                f"network: expected images of shape {list(expected)}, got {list(x.shape[1:])}."
            )
        if (labels is None) != (self.label is None):
            raise InputError(
                f"network: it is told one of {self.settings.classes} classes; labels are missing."
                if labels is None
                else "network: it was made without classes, but labels are given."
            )


class Down(nn.Module):
    """One resolution of the encoder.

    Attributes:
        widths: channels of the tensors that it leaves for the decoder, in order.
    """

    def __init__(
        self, settings: UNetSettings, *, side: int, inputs: int, outputs: int, fed: int, told: int
    ) -> None:
        super().__init__()
        first = side == settings.image_size
        how = {"embedding": told, "dropout": settings.dropout}
        self.shrink = self.image = None
        if not first:
            self.shrink = Block(
                inputs, inputs, resample="down", resampling=settings.resampling, **how
            )
            if settings.progressive_input:
                self.image = nn.Sequential(
                    Resample("down", settings.resampling), convolution(fed, inputs, 3)
                )
        attends = side in settings.attention
        sizes = [inputs, *[outputs] * settings.blocks]
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
        settings: UNetSettings,
        *,
        side: int,
        inputs: int,
        outputs: int,
        taken: list[int],
        told: int,
    ) -> None:
        super().__init__()
        how = {"embedding": told, "dropout": settings.dropout}
        last = side == settings.resolutions[-1]
        self.grow = None
        if not last:
            self.grow = Block(inputs, inputs, resample="up", resampling=settings.resampling, **how)
        before = [inputs, *[outputs] * settings.blocks]
        attends = [False] * settings.blocks + [side in settings.attention]
        self.blocks = nn.ModuleList(
            Block(channels + skip, outputs, attention=attention, **how)
            for channels, skip, attention in zip(before, taken, attends, strict=True)
        )
        off = settings.without_skips
        self.kept = [name not in off and str(side) not in off for name in settings.skips[side]]

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
