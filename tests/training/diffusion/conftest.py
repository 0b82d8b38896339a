import os
from pathlib import Path

import numpy as np
import pytest
import torch

from genmem.training.common.dataset import TrainingImages, load_training_images


@pytest.fixture(scope="session")
def cifar10_zips():
    """The zips of CIFAR-10's training and test images."""
    root = Path(__file__).parents[3]
    folder = root / os.environ.get("GENMEM_TEST_DATA", "../shared/data") / "cifar10"
    zips = folder / "train.zip", folder / "test.zip"
    if not all(zipped.is_file() for zipped in zips):
        pytest.skip("CIFAR-10 is not in $GENMEM_TEST_DATA (default ../shared/data)")
    return zips


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def cifar10(cifar10_zips):
    """200 CIFAR-10 images at 8 × 8 with their classes."""
    return load_training_images(cifar10_zips[1], size=8, limit=200, classes=True)


def images_of(pixels, labels=None):
    """Pixels uint8 [n, 3, H, H] as `load_training_images` would give them."""
    classes = () if labels is None else tuple(str(label) for label in range(labels.max() + 1))
    return TrainingImages(
        pixels=pixels,
        labels=labels,
        classes=classes,
        ids=tuple(map(str, range(len(pixels)))),
        name="made",
        duplicates=0,
        notes=(),
    )


@pytest.fixture
def made():
    """24 images of 8 × 8 noise in three classes."""
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (24, 3, 8, 8), np.uint8)
    return images_of(pixels, np.arange(24) % 3)
