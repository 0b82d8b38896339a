"""Inputs of the benchmarks, seeded and written to a temporary folder for all processes to read."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

_BLOCK_ROWS = 8_192
_RANK = 256
_NEAR_COPIES = 50
"""One generated row in this many is a training row with a little noise."""


def write_features(
    path: Path, *, rows: int, dimension: int, seed: int, copies_of: Path | None = None
) -> Path:
    """Rows like pooled network features, float32 [rows, dimension], as a .npy file.

    Non-negative with many small values (a rectified sum), correlated (few directions with a
    falling spectrum carry most of the variance), of full rank (noise). Sets of different seeds
    share the directions and differ a little in their mean. Written block by block.

    Args:
        path: the file to write.
        rows: how many.
        dimension: columns.
        seed: of the rows and of the set's shift in the mean.
        copies_of: features of which some rows are near copies, as a copying generator's would be.
    """
    common = np.random.default_rng(0)
    rank = min(_RANK, dimension)
    spectrum = np.arange(1, rank + 1, dtype=np.float32) ** -0.5
    directions = common.standard_normal((rank, dimension), dtype=np.float32) * spectrum[:, None]
    level = 0.3 + 0.4 * common.standard_normal(dimension, dtype=np.float32)
    random = np.random.default_rng(seed)
    level = level + 0.05 * random.standard_normal(dimension, dtype=np.float32)
    originals = np.load(copies_of, mmap_mode="r") if copies_of else None
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(
            file, {"descr": "<f4", "fortran_order": False, "shape": (rows, dimension)}
        )
        for start in range(0, rows, _BLOCK_ROWS):
            count = min(_BLOCK_ROWS, rows - start)
            block = 0.3 * random.standard_normal((count, dimension), dtype=np.float32)
            block += random.standard_normal((count, rank), dtype=np.float32) @ directions * 0.3
            block += level
            np.maximum(block, 0, out=block)
            if originals is not None:
                chosen = np.arange(0, count, _NEAR_COPIES)
                block[chosen] = originals[random.integers(0, len(originals), len(chosen))] * (
                    1 + 1e-3 * random.standard_normal((len(chosen), dimension), dtype=np.float32)
                )
            file.write(block.tobytes())
    return path


def write_logits(path: Path, *, rows: int, classes: int) -> Path:
    """Logits of a classifier that is sure of most images, float32 [rows, classes]."""
    logits = np.random.default_rng(3).standard_normal((rows, classes), dtype=np.float32)
    np.save(path, 3 * logits)
    return path


def random_images(count: int) -> NDArray[np.uint8]:
    """Noise images, uint8 [count, 32, 32, 3]: to a network's speed one image is like another."""
    return np.random.default_rng(4).integers(0, 256, (count, 32, 32, 3), dtype=np.uint8)


def write_inception_weights(path: Path) -> Path:
    """Random weights of the FID Inception V3 as a state dict, for machines without a download.

    The published weights take the same time; random ones let both sides load the same file.
    """
    import torch
    from torch_fidelity.feature_extractor_inceptionv3 import FeatureExtractorInceptionV3

    class Unloaded(FeatureExtractorInceptionV3):
        """The extractor with the weights it starts with."""

        def load_state_dict(self, *_: Any, **__: Any) -> Any:
            return None

    torch.manual_seed(0)
    empty = path.with_suffix(".empty")
    torch.save({}, empty)
    network = Unloaded("inception-v3-compat", ["2048"], feature_extractor_weights_path=str(empty))
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            # Variances that keep random activations of order one through all layers.
            assert module.running_mean is not None
            assert module.running_var is not None
            module.running_mean.normal_(0, 0.1)
            module.running_var.uniform_(0.1, 0.4)
    torch.save(network.state_dict(), path)
    return path


def write_cifar10_zip(path: Path, *, images: int) -> Path | None:
    """A zip of the first CIFAR-10 test JPEGs of $GENMEM_TEST_DATA; None where they are absent."""
    folder = os.environ.get("GENMEM_TEST_DATA", "../shared/data")
    whole = Path(__file__).parent.parent / folder / "cifar10" / "test.zip"
    if not whole.is_file():
        return None
    with zipfile.ZipFile(whole) as source, zipfile.ZipFile(path, "w") as target:
        names = sorted(entry.filename for entry in source.infolist() if not entry.is_dir())
        for name in names[:: max(1, len(names) // images)][:images]:
            target.writestr(name, source.read(name))
    return path
