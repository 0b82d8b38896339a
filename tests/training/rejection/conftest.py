"""Training images, and generated ones from copies of them to noise."""

import numpy as np
import pytest

from .factories import as_float, random_pixels


@pytest.fixture
def train():
    return random_pixels(40, 0)


@pytest.fixture
def near(train):
    """Generated images, float in [−1, 1], from copies of training images to noise."""
    noise = random_pixels(30, 1).astype(float)
    blend = np.linspace(0, 1, 30)[:, None, None, None]
    mixed = (1 - blend) * train[:30] + blend * noise
    return as_float(mixed.round().astype(np.uint8))
