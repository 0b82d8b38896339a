import pytest

from .fixtures import images as images
from .fixtures import small as small


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    """Every test has a cache of its own, so that none profits from another."""
    monkeypatch.setenv("GENMEM_CACHE", str(tmp_path / "cache"))
