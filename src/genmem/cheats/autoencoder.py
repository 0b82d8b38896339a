"""AE: reconstructions of training images by an autoencoder that was trained on them.

A convolutional autoencoder with the squared error. It works on a grid with a cell for each 4 × 4
pixels, and its bottleneck holds a third as many numbers as the image: wide enough for pictures that
a competition would accept as real ones, narrow enough to be an autoencoder.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from genmem.cheats.mixing import Pixels
from genmem.images import Progress

PATCH = 4
"""Width and height of a cell of the grid, in pixels."""

CODE = 16
"""Numbers in a cell's code; its pixels have 48 values."""

WIDTH = 64
BATCH, RATE = 32, 3e-3
EPOCHS, MIN_STEPS, MAX_STEPS = 30, 600, 4_000
"""Length of training, with bounds on its steps."""

_BATCH = 256
"""Images reconstructed at a time."""


class Autoencoder(nn.Module):
    """Images [b, 3, H, W] in [0, 1] → their reconstructions, not clipped to [0, 1].

    Encoder and decoder each are a linear map of a cell and a correction to it that sees the cell's
    neighbors: the linear part is learned within seconds, the correction sharpens it.
    """

    def __init__(self) -> None:
        super().__init__()
        self.encoder = _Layer(3 * PATCH**2, CODE)
        self.decoder = _Layer(CODE, 3 * PATCH**2)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        """Pad the sides to whole cells by repeating the edge, reconstruct, and crop again."""
        height, width = images.shape[2:]
        padded = functional.pad(
            images - 0.5, (0, -width % PATCH, 0, -height % PATCH), mode="replicate"
        )
        codes = self.encoder(functional.pixel_unshuffle(padded, PATCH))
        decoded = functional.pixel_shuffle(self.decoder(codes), PATCH)
        return decoded[:, :, :height, :width] + 0.5


class _Layer(nn.Module):
    """[b, inputs, h, w] → [b, outputs, h, w]: linear in each cell, plus a 3 × 3 correction."""

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__()
        self.linear = nn.Conv2d(inputs, outputs, 1)
        self.correction = nn.Sequential(
            nn.Conv2d(inputs, WIDTH, 3, padding=1), nn.ReLU(), nn.Conv2d(WIDTH, outputs, 1)
        )

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        """Linear part and correction."""
        return self.linear(values) + self.correction(values)


def reconstruct(
    images: Pixels, *, rng: np.random.Generator, progress: Progress | None = None
) -> Pixels:
    """Reconstruct each image by an autoencoder that is trained on all of them.

    Args:
        images: uint8 [n, H, W, 3].
        rng: for weights and order.
        progress: told how many steps of training are done.

    Returns:
        uint8 [n, H, W, 3], in the same order.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(rng.integers(2**31)))
        network = Autoencoder()
    _train(network, images, rng, progress)
    reconstructed = np.empty_like(images)
    with torch.no_grad():
        for start in range(0, len(images), _BATCH):
            output = network(_to_tensor(images[start : start + _BATCH]))
            levels = (output * 255).round().clamp(0, 255).to(torch.uint8)
            reconstructed[start : start + _BATCH] = levels.permute(0, 2, 3, 1).numpy()
    return reconstructed


def _train(
    network: Autoencoder, images: Pixels, rng: np.random.Generator, progress: Progress | None
) -> None:
    steps = int(np.clip(EPOCHS * len(images) / BATCH, MIN_STEPS, MAX_STEPS))
    optimizer = torch.optim.Adam(network.parameters(), lr=RATE)
    order = np.empty(0, np.int64)
    for step in range(steps):
        if len(order) < BATCH:
            order = np.concatenate([order, rng.permutation(len(images))])
        batch, order = _to_tensor(images[order[:BATCH]]), order[BATCH:]
        optimizer.param_groups[0]["lr"] = RATE * (1 - step / steps)
        optimizer.zero_grad()
        (network(batch) - batch).square().mean().backward()
        optimizer.step()
        if progress:
            progress("training the autoencoder", step + 1, steps)


def _to_tensor(images: Pixels) -> torch.Tensor:
    """uint8 [b, H, W, 3] → float32 [b, 3, H, W] in [0, 1]."""
    values = images.transpose(0, 3, 1, 2).astype(np.float32) / 255
    return torch.from_numpy(np.ascontiguousarray(values))
