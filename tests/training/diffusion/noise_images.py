"""Small images of noise, for the tests of diffusion models and of their page."""

import numpy as np
import pytest

from genmem.training.common.dataset import TrainingImages


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
