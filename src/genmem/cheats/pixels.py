"""Pixels of 8 bits ↔ what networks see."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray

Pixels = NDArray[np.uint8]
"""Images, uint8 [n, H, W, 3]."""


def to_unit(images: Pixels) -> torch.Tensor:
    """uint8 [n, H, W, 3] → float32 [n, 3·H·W] in [0, 1], in the order of the array."""
    return torch.from_numpy(images.reshape(len(images), -1).astype(np.float32) / 255)


def to_levels(rows: torch.Tensor, like: Pixels) -> Pixels:
    """float [n, 3·H·W] in [0, 1] → uint8 [n, H, W, 3], rounded, of the size of `like`."""
    levels = (rows.detach() * 255).round().clamp(0, 255).to(torch.uint8)
    return levels.numpy().reshape(-1, *like.shape[1:])
