"""The parts of DDPM++ and NCSN++: residual blocks, self-attention, resampling.

From "Score-Based Generative Modeling through Stochastic Differential Equations" (Song et al. 2021,
arXiv 2011.13456, section 4.1 and appendix H): BigGAN's residual blocks, which resample inside, skip
connections scaled by 1/√2, and in NCSN++ resampling with an anti-aliasing filter (StyleGAN-2's).
The rest is DDPM's (Ho et al. 2020): group normalization, swish, one attention head.
"""

from __future__ import annotations

import math
from typing import Literal, TypeVar

import torch
from torch import nn
from torch.nn import functional

from genmem.training.diffusion.config import Resampling

SQRT_HALF = math.sqrt(0.5)

NEARLY_ZERO = 1e-5
"""Initial scale of the last weights of every residual block, which then does almost nothing."""

_Layer = TypeVar("_Layer", nn.Conv2d, nn.Linear)
_TAPS = {"box": (1.0, 1.0), "fir": (1.0, 3.0, 3.0, 1.0)}


def convolution(inputs: int, outputs: int, size: int, *, scale: float = 1.0) -> nn.Conv2d:
    """A convolution that keeps height and width; weights by `initialize`."""
    layer = nn.Conv2d(inputs, outputs, size, padding=size // 2)
    return initialize(layer, scale)


def linear(inputs: int, outputs: int) -> nn.Linear:
    """A linear layer; weights by `initialize`."""
    return initialize(nn.Linear(inputs, outputs), 1.0)


def initialize(layer: _Layer, scale: float) -> _Layer:
    """DDPM's start: uniform with variance scale/mean(fan in, fan out); biases 0."""
    nn.init.xavier_uniform_(layer.weight, gain=math.sqrt(scale))
    if layer.bias is not None:
        nn.init.zeros_(layer.bias)
    return layer


def group_norm(channels: int) -> nn.GroupNorm:
    """At most 32 groups of at least 4 channels."""
    groups = next(g for g in range(min(32, max(1, channels // 4)), 0, -1) if channels % g == 0)
    return nn.GroupNorm(groups, channels, eps=1e-6)


class Resample(nn.Module):
    """Half or twice the height and width, channel by channel, with a fixed separable filter."""

    kernel: torch.Tensor

    def __init__(self, direction: Literal["down", "up"], resampling: Resampling) -> None:
        super().__init__()
        taps = torch.tensor(_TAPS[resampling])
        kernel = taps[:, None] * taps[None, :]
        self.up = direction == "up"
        self.padding = (len(taps) - 1) // 2
        # Upwards three of four pixels that the filter meets are empty.
        kernel = kernel / kernel.sum() * (4 if self.up else 1)
        self.register_buffer("kernel", kernel[None, None], persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """[b, c, H, W] → [b, c, H/2, W/2] or [b, c, 2H, 2W]."""
        channels = x.shape[1]
        kernel = self.kernel.to(x.dtype).expand(channels, 1, -1, -1)
        apply = functional.conv_transpose2d if self.up else functional.conv2d
        return apply(x, kernel, stride=2, padding=self.padding, groups=channels)


class Attention(nn.Module):
    """Self-attention over all places, one head; x + output, scaled by 1/√2."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = group_norm(channels)
        self.qkv = convolution(channels, 3 * channels, 1)
        self.out = convolution(channels, channels, 1, scale=NEARLY_ZERO)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """[b, c, H, W] → the same."""
        b, c, height, width = x.shape
        q, k, v = self.qkv(self.norm(x)).reshape(b, 3, c, height * width).transpose(2, 3).unbind(1)
        attended = functional.scaled_dot_product_attention(q, k, v)
        return (x + self.out(attended.transpose(1, 2).reshape(b, c, height, width))) * SQRT_HALF


class Block(nn.Module):
    """BigGAN's residual block as DDPM++ uses it, conditioned on the noise level in its middle.

    h = conv(resample(swish(norm(x)))) + linear(embedding)
    h = conv(dropout(swish(norm(h))))
    y = (skip(resample(x)) + h)/√2 ,  skip a 1 × 1 convolution where channels change or the
                                      block resamples
    """

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        embedding: int,
        dropout: float,
        attention: bool = False,
        resample: Literal["down", "up"] | None = None,
        resampling: Resampling = "box",
    ) -> None:
        super().__init__()
        self.norm_in = group_norm(inputs)
        self.conv_in = convolution(inputs, outputs, 3)
        self.condition = linear(embedding, outputs)
        self.norm_out = group_norm(outputs)
        self.dropout = nn.Dropout(dropout)
        self.conv_out = convolution(outputs, outputs, 3, scale=NEARLY_ZERO)
        self.resample = Resample(resample, resampling) if resample else nn.Identity()
        mixes = inputs != outputs or resample is not None
        self.skip = convolution(inputs, outputs, 1) if mixes else nn.Identity()
        self.attention = Attention(outputs) if attention else nn.Identity()

    def forward(self, x: torch.Tensor, embedding: torch.Tensor) -> torch.Tensor:
        """[b, inputs, H, W] and [b, e] → [b, outputs, H', W']."""
        h = self.conv_in(self.resample(functional.silu(self.norm_in(x))))
        h = h + self.condition(embedding)[:, :, None, None]
        h = self.conv_out(self.dropout(functional.silu(self.norm_out(h))))
        return self.attention((self.skip(self.resample(x)) + h) * SQRT_HALF)
