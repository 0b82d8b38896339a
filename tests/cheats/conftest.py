import numpy as np
import pytest
import torch

from genmem.cheats import autoencoder


@pytest.fixture(autouse=True, scope="session")
def one_thread():
    """Tiny layers are fastest on one thread, and other tests' processes undisturbed."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(autouse=True)
def short_training(monkeypatch):
    """A sixth of the autoencoder's shortest training suffices for a dozen small pictures."""
    monkeypatch.setattr(autoencoder, "LEAST_STEPS", 100)


@pytest.fixture(scope="session")
def images():
    """Twelve smooth colour pictures, uint8 [12, 16, 16, 3], all different."""
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (12, 4, 4, 3)).astype(np.float64)
    fine = coarse.repeat(4, axis=1).repeat(4, axis=2)
    smooth = (fine + np.roll(fine, 1, axis=1) + np.roll(fine, 1, axis=2)) / 3
    return np.rint(smooth).astype(np.uint8)
