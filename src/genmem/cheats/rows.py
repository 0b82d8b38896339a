"""A dense layer that takes one-hot vectors, trained a few rows at a time.

An image is one row of the layer's weights, and its loss concerns no other row; Adam works on every
weight by itself. So training the rows in blocks gives what training all at once gives, and an
N × pixels layer never has to exist: `BLOCK` rows do, with their gradients and Adam's moments.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch

BLOCK = 64
"""Rows trained together: 64 × 3 × 64 × 64 weights with their moments take 12 MB, near a cache."""

Loss = Callable[[torch.Tensor], torch.Tensor]
"""The layer's outputs [b, pixels] in (0, 1) → one number, a sum over rows."""


def blocks(count: int) -> Iterator[slice]:
    """Slices of `BLOCK` rows that cover 0 … count."""
    for start in range(0, count, BLOCK):
        yield slice(start, min(start + BLOCK, count))


def train_rows(weights: torch.Tensor, loss: Loss, *, steps: int, rate: float) -> torch.Tensor:
    """σ(weights) after Adam has lowered `loss(σ(weights))`; its rate falls to 0 linearly.

    Args:
        weights: float32 [b, pixels], where training starts; changed in place.
        loss: of σ(weights).
        steps: Adam's steps.
        rate: its learning rate at the start.

    Returns:
        float32 [b, pixels] in (0, 1).
    """
    weights.requires_grad_()
    optimizer = torch.optim.Adam([weights], lr=rate)
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = rate * (1 - step / steps)
        optimizer.zero_grad()
        loss(torch.sigmoid(weights)).backward()
        optimizer.step()
    return torch.sigmoid(weights).detach()
