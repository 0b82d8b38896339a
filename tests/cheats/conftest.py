import pytest
import torch

from genmem.cheats import autoencoder

from .factories import smooth_images


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
    monkeypatch.setattr(autoencoder, "MIN_STEPS", 100)


@pytest.fixture(scope="session")
def images():
    return smooth_images()
