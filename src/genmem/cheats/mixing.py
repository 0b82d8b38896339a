"""Which training images are copied, and mixtures of two of them."""

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


_BLOCK = 256


def draw_members(count: int, members: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """int64 [count]: every member once in random order, then all again, and so on.

    Args:
        count: how many to draw.
        members: how many there are.
        rng: for the order.
    """
    rounds = -(-count // members)
    return np.concatenate([rng.permutation(members) for _ in range(rounds)])[:count]


def draw_partners(
    first: NDArray[np.int64], members: int, rng: np.random.Generator
) -> NDArray[np.int64]:
    """int64 [n]: for each of `first` another member, drawn evenly.

    Args:
        first: int64 [n], members.
        members: how many there are, at least two.
        rng: for the draw.
    """
    return (first + rng.integers(1, members, len(first))) % members


def mix_images(
    images: Pixels, first: NDArray[np.int64], second: NDArray[np.int64], share: float
) -> Pixels:
    """`share` of the first images and the rest of the second, rounded: uint8 [n, H, W, 3].

    Args:
        images: uint8 [m, H, W, 3].
        first: int64 [n], places in `images`.
        second: int64 [n].
        share: in (0, 1].
    """
    mixtures = np.empty((len(first), *images.shape[1:]), np.uint8)
    for start in range(0, len(first), _BLOCK):
        rows = slice(start, start + _BLOCK)
        mixture = (
            share * images[first[rows]].astype(np.float64) + (1 - share) * images[second[rows]]
        )
        mixtures[rows] = np.rint(mixture)
    return mixtures
