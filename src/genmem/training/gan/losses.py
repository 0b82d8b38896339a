"""The hinge loss: Lim and Ye 2017 (arXiv 1705.02894), as SAGAN and BigGAN use it."""

from __future__ import annotations

import torch
from torch.nn import functional


def discriminator_loss(real: torch.Tensor, fake: torch.Tensor) -> torch.Tensor:
    """mean max(0, 1 − D(real)) + mean max(0, 1 + D(fake)), over scores [b] of each."""
    return functional.relu(1 - real).mean() + functional.relu(1 + fake).mean()


def generator_loss(fake: torch.Tensor) -> torch.Tensor:
    """−mean D(fake), over scores [b]."""
    return -fake.mean()
