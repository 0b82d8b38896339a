"""DiffAugment: the same random changes to real and generated images, through which gradients flow.

Zhao et al. 2020, "Differentiable Augmentation for Data-Efficient GAN Training" (arXiv 2006.10738):
color (brightness, saturation, contrast), translation by up to 1/8 of the side, cutout of a square
of half the side. Random numbers are drawn on the CPU from the caller's generator, an image each.
"""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional

TRANSLATION = 0.125
CUTOUT = 0.5


def augmented(images: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """Color, then translation, then cutout, each with random numbers of its own for every image.

    Args:
        images: float [b, 3, h, w] in [−1, 1]; the result may leave that range.
        rng: where the random numbers come from.
    """
    return _cutout(_translated(_colored(images, rng), rng), rng)


def _factors(images: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """Uniform in [0, 1), [b, 1, 1, 1], on the images' device."""
    drawn = torch.from_numpy(rng.random((len(images), 1, 1, 1), dtype=np.float32))
    return drawn.to(images.device)


def _colored(x: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """Brightness ± 0.5; saturation × [0, 2) about the pixel's gray; contrast × [0.5, 1.5)."""
    x = x + (_factors(x, rng) - 0.5)
    gray = x.mean(dim=1, keepdim=True)
    x = (x - gray) * (2 * _factors(x, rng)) + gray
    mean = x.mean(dim=(1, 2, 3), keepdim=True)
    return (x - mean) * (_factors(x, rng) + 0.5) + mean


def _translated(x: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """Moved by whole pixels, up to `TRANSLATION` of the side each way; 0 comes in at the edges."""
    height, width = x.shape[2:]
    reach = [int(side * TRANSLATION + 0.5) for side in (height, width)]
    shifts = [torch.from_numpy(rng.integers(-r, r, len(x), endpoint=True)) for r in reach]
    padded = functional.pad(x, (reach[1], reach[1], reach[0], reach[0]))
    rows = (torch.arange(height) + reach[0] - shifts[0][:, None]).to(x.device)
    columns = (torch.arange(width) + reach[1] - shifts[1][:, None]).to(x.device)
    number = torch.arange(len(x), device=x.device)[:, None, None]
    moved = padded.permute(0, 2, 3, 1)[number, rows[:, :, None], columns[:, None, :]]
    return moved.permute(0, 3, 1, 2)


def _cutout(x: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """A square of `CUTOUT` of the side, centred anywhere in the image, set to 0."""
    masks = []
    for side in x.shape[2:]:
        length = int(side * CUTOUT + 0.5)
        centre = torch.from_numpy(rng.integers(0, side, len(x), endpoint=True))
        low = (centre - length // 2)[:, None]
        place = torch.arange(side)
        masks.append((place >= low) & (place < low + length))
    hole = (masks[0][:, :, None] & masks[1][:, None, :])[:, None].to(x.device)
    return x.masked_fill(hole, 0.0)
