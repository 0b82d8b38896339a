"""Which training images the outputs come from, and mixtures of two of them."""

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


def drawn_members(count: int, members: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """int64 [count]: every member once in random order, then every one again, and so on."""
    rounds = -(-count // members)
    return np.concatenate([rng.permutation(members) for _ in range(rounds)])[:count]


def partners(first: NDArray[np.int64], members: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """int64 [n]: for each of `first` another of the `members` (two at least), drawn evenly."""
    return (first + rng.integers(1, members, len(first))) % members


def mixed(
    images: Pixels, first: NDArray[np.int64], second: NDArray[np.int64], share: float
) -> Pixels:
    """`share` of the first images and the rest of the second, rounded: uint8 [n, H, W, 3].

    Args:
        images: uint8 [m, H, W, 3].
        first: int64 [n], places in `images`.
        second: int64 [n].
        share: in (0, 1].
    """
    made = np.empty((len(first), *images.shape[1:]), np.uint8)
    for start in range(0, len(first), _BLOCK):
        rows = slice(start, start + _BLOCK)
        both = share * images[first[rows]].astype(np.float64) + (1 - share) * images[second[rows]]
        made[rows] = np.rint(both)
    return made
