import os
from pathlib import Path

import pytest

from genmem.training.common.config import ImageSelection
from genmem.training.common.dataset import load_training_images

from .noise_images import made as made


@pytest.fixture(scope="session")
def cifar10_zips():
    """The zips of CIFAR-10's training and test images."""
    root = Path(__file__).parents[3]
    folder = root / os.environ.get("GENMEM_TEST_DATA", "../shared/data") / "cifar10"
    zips = folder / "train.zip", folder / "test.zip"
    if not all(zipped.is_file() for zipped in zips):
        pytest.skip("CIFAR-10 is not in $GENMEM_TEST_DATA (default ../shared/data)")
    return zips


@pytest.fixture(scope="session")
def cifar10(cifar10_zips):
    """200 CIFAR-10 images at 8 × 8 with their classes."""
    return load_training_images(cifar10_zips[1], ImageSelection(size=8, limit=200, classes=True))
