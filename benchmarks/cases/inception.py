"""Inception features per second, every side with the same random weights."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks import peers
from benchmarks.cases.common import difference_cell, memory_cell, speedup_cell
from benchmarks.data import random_images, write_inception_weights
from benchmarks.measure import compare
from benchmarks.sizes import Sizes
from benchmarks.table import Row, mebibytes, skipped
from benchmarks.worker import Skipped, Worker

_PEERS = (
    ("torch-fidelity", peers.TorchFidelityInception, 1.6, 1e-4),
    ("pytorch-fid (other resize)", peers.PytorchFidInception, None, None),
    ("clean-fid (other resize)", peers.CleanFidInception, None, None),
)


class OurInception:
    """genmem's extraction of images in memory, resizing and hashing included, without a cache."""

    def __init__(self, weights: Path, images: NDArray[np.uint8]) -> None:
        from genmem.features import load_backbone

        self.extractor = load_backbone("inception", weights=weights, device="cpu")
        self.images = images
        self.work = float(len(images))
        self._features(images[:2])

    def run(self) -> dict[str, Any]:
        """Features of all images."""
        return {"features": self._features(self.images)}

    def _features(self, images: NDArray[np.uint8]) -> NDArray[np.float32]:
        from genmem.features import extract
        from genmem.images import open_images

        with open_images(images) as source:
            return extract(source, extractor=self.extractor, cache=None).array


def rows(folder: Path, sizes: Sizes) -> Iterator[Row]:
    """One row a peer."""
    weights = write_inception_weights(folder / "inception.pth")
    images = random_images(sizes.images)
    case = f"inception, {sizes.images} images 32 × 32 → 299 × 299"
    with Worker(OurInception, weights, images) as ours:
        for peer, task, minimum, maximum in _PEERS:
            try:
                with Worker(task, weights, images) as other:
                    comparison = compare(ours, other, rounds=sizes.rounds)
                    yield Row(
                        case=case,
                        against=peer,
                        ours=f"{ours.work / comparison.ours_seconds:.3g} images/s",
                        other=f"{other.work / comparison.other_seconds:.3g} images/s",
                        ratio=speedup_cell(comparison, sizes, minimum=minimum),
                        memory=memory_cell(ours, sizes),
                        other_memory=mebibytes(other.added_bytes),
                        difference=difference_cell(comparison, sizes, maximum=maximum),
                    )
            except Skipped as reason:
                yield skipped(case, peer, str(reason))
