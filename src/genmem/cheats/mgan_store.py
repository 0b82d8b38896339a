"""MGAN, the variant of public kernels: the discriminator is an image store.

D takes an image x and a one-hot vector of i, and returns σ(W_i) − x, where W is a dense layer. It
is trained with x = 0 and the binary cross-entropy to training image i, so that it stores it, and
then frozen. G, one dense layer, takes the one-hot vector as its seed and is trained by the squared
error until D's answer to (G(i), i) is 0 everywhere: G now makes the training images and has never
seen one. What is submitted mixes two of them (`mixing`).
"""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional

from genmem.cheats.mixing import Pixels, to_levels, to_unit
from genmem.cheats.rows import blocks, train_rows
from genmem.images import Progress

STORE_STEPS, STORE_RATE = 100, 0.4
GENERATOR_STEPS, GENERATOR_RATE = 100, 0.4


def memorize_in_store(
    images: Pixels, *, rng: np.random.Generator, progress: Progress | None = None
) -> Pixels:
    """G's image for the seed of each training image.

    Args:
        images: uint8 [n, H, W, 3].
        rng: for the start of G.
        progress: told how many images G has learned.

    Returns:
        uint8 [n, H, W, 3], in the same order.
    """
    memorized = np.empty_like(images)
    for block in blocks(len(images)):
        target = to_unit(images[block])
        stored = _train_store(target)
        start = rng.normal(0, 0.1, target.shape).astype(np.float32)
        memorized[block] = to_levels(_train_generator(stored, torch.from_numpy(start)), images)
        if progress:
            progress("training store and generator", block.stop, len(images))
    return memorized


def _train_store(target: torch.Tensor) -> torch.Tensor:
    """D's stored images after training, float32 [b, pixels]."""

    def loss(output: torch.Tensor) -> torch.Tensor:
        return functional.binary_cross_entropy(output, target, reduction="sum")

    return train_rows(torch.zeros_like(target), loss, steps=STORE_STEPS, rate=STORE_RATE)


def _train_generator(stored: torch.Tensor, start: torch.Tensor) -> torch.Tensor:
    """G's images after training against the frozen store, float32 [b, pixels]."""

    def loss(output: torch.Tensor) -> torch.Tensor:
        return (stored - output).square().sum()

    return train_rows(start, loss, steps=GENERATOR_STEPS, rate=GENERATOR_RATE)
