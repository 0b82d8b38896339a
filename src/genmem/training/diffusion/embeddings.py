"""How the network is told the noise level: positional, or by random Fourier features."""

from __future__ import annotations

import math

import torch
from torch import nn


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
