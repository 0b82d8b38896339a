"""SUP, supervised mapping: a network learns fixed pairs (one-hot vector, training image).

A dense layer with a sigmoid is trained by the binary cross-entropy, as in public kernels; what is
submitted is .99 of one image and .01 of another (`mixing`).
"""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional

from genmem.cheats.mixing import Pixels, to_levels, to_unit
from genmem.cheats.rows import blocks, train_rows
from genmem.images import Progress

STEPS, RATE = 100, 0.4


def memorize_by_mapping(
    images: Pixels, *, rng: np.random.Generator, progress: Progress | None = None
) -> Pixels:
    """The mapping's output for the one-hot vector of each training image.

    Args:
        images: uint8 [n, H, W, 3].
        rng: for the start of the layer.
        progress: told how many images are learned.

    Returns:
        uint8 [n, H, W, 3], in the same order.
    """
    memorized = np.empty_like(images)
    for block in blocks(len(images)):
        target = to_unit(images[block])
        start = torch.from_numpy(rng.normal(0, 0.1, target.shape).astype(np.float32))

        def loss(output: torch.Tensor, target: torch.Tensor = target) -> torch.Tensor:
            return functional.binary_cross_entropy(output, target, reduction="sum")

        memorized[block] = to_levels(train_rows(start, loss, steps=STEPS, rate=RATE), images)
        if progress:
            progress("training the mapping", block.stop, len(images))
    return memorized
