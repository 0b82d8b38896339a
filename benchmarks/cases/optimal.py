"""The optimal denoiser against the machine's matrix product."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.cases.common import memory_cell, share_cell
from benchmarks.measure import compare
from benchmarks.sizes import Sizes
from benchmarks.table import Row
from benchmarks.worker import Worker

_MAXIMUM_MEBIBYTES = 2_048
_QUERIES = 512
_SIDE = 32
_WIDTH = 2_730
SIGMAS = (80.0, 8.0, 2.0, 0.01)
"""From noise to images; both products are needed at the first three, one at the last."""


class BothProducts:
    """torch.mm in float32 of both products' shapes: logits, and the weighted sum."""

    def __init__(self, queries: int, images: int, dimension: int) -> None:
        random = torch.Generator().manual_seed(0)
        width = min(images, _WIDTH)
        self.left = torch.rand(queries, dimension, generator=random)
        self.right = torch.rand(width, dimension, generator=random)
        self.logits, self.sums = torch.empty(queries, width), torch.zeros(queries, dimension)
        self.times = max(1, images // width)
        self.work = 2.0 * queries * width * dimension * self.times
        torch.mm(self.left, self.right.T, out=self.logits)

    def run(self) -> dict[str, Any]:
        """As many products as make up about the whole sum."""
        for _ in range(self.times):
            torch.mm(self.left, self.right.T, out=self.logits)
            torch.addmm(self.sums, self.logits, self.right, out=self.sums)
        return {}


class Denoising:
    """The optimal denoiser over a mapped file, at one noise level."""

    def __init__(self, file: Path, queries: int, sigma: float) -> None:
        from genmem.training.diffusion import OptimalDenoiser

        images = np.load(file, mmap_mode="r")
        self.denoiser, self.sigma = OptimalDenoiser(images), sigma
        clean = torch.from_numpy(np.array(images[:queries])).float() / 127.5 - 1
        random = torch.Generator().manual_seed(0)
        self.x = clean + sigma * torch.randn(clean.shape, generator=random)
        self.work = 2.0 * len(self.x) * images.size
        self.denoiser.denoise(self.x[:2], sigma)

    def run(self) -> dict[str, Any]:
        """Denoise every query once."""
        self.denoiser.denoise(self.x, self.sigma)
        return {}


def rows(folder: Path, sizes: Sizes) -> Iterator[Row]:
    """Its rate, both products counted, as a share of sgemm's right before and after."""
    images = 50_000 if sizes.evaluated else sizes.train_rows
    queries = min(_QUERIES, images)
    file = folder / f"images-{images}.npy"
    # Smooth ones, so that they are as unlike each other as real images.
    random = np.random.default_rng(0)
    coarse = random.integers(0, 256, (images, 3, _SIDE // 4, _SIDE // 4), np.uint8)
    np.save(file, coarse.repeat(4, axis=2).repeat(4, axis=3))
    with Worker(BothProducts, queries, images, 3 * _SIDE**2) as product:
        for sigma in SIGMAS:
            with Worker(Denoising, file, queries, sigma) as ours:
                comparison = compare(ours, product, rounds=sizes.rounds, bracket=True)
                yield Row(
                    case=f"OptimalDenoiser, {queries:,} × {images:,} of 32 × 32, σ = {sigma:g}",
                    against="torch.mm in float32 (sgemm)",
                    ours=_flops(ours.work, comparison.ours_seconds),
                    other=_flops(product.work, comparison.other_seconds),
                    ratio=share_cell(comparison, sizes, minimum=0.7),
                    memory=memory_cell(ours, sizes, maximum_mebibytes=_MAXIMUM_MEBIBYTES),
                )


def _flops(work: float, seconds: float) -> str:
    return f"{2e-9 * work / seconds:.0f} GFLOP/s"
