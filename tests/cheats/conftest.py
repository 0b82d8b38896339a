import pytest

from genmem.cheats import autoencoder

from .factories import smooth_images


@pytest.fixture(autouse=True)
def short_training(monkeypatch):
    """A sixth of the autoencoder's shortest training suffices for a dozen small pictures."""
    monkeypatch.setattr(autoencoder, "MIN_STEPS", 100)


@pytest.fixture(scope="session")
def images():
    return smooth_images()
