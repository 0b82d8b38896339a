import pytest
import torch

from .fixtures import images as images
from .fixtures import small as small


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    """Every test has a cache of its own, so that none profits from another."""
    monkeypatch.setenv("GENMEM_CACHE", str(tmp_path / "cache"))


@pytest.fixture(autouse=True, scope="session")
def one_thread():
    """Tiny networks are fastest, and other tests' processes undisturbed, on one thread."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)
