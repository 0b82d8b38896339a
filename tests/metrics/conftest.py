"""Feature sets that the tests of the nearest-neighbor metrics share."""

import numpy as np
import pytest


@pytest.fixture
def image_sets():
    rng = np.random.default_rng(0)
    train = rng.normal(size=(70, 9)).astype(np.float32)
    generated = rng.normal(size=(40, 9)).astype(np.float32)
    generated[:6] = train[10:16] + rng.normal(size=(6, 9)).astype(np.float32) * 0.05
    return {"generated": generated, "train": train}
