import numpy as np
import pytest
from PIL import Image


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    """Every test has a cache of its own, so that none profits from another."""
    monkeypatch.setenv("GENMEM_CACHE", str(tmp_path / "cache"))


def write_images(folder, pixels):
    """uint8 [n, H, W, 3] as 0000.png, … in a new folder, which is returned."""
    folder.mkdir()
    for number, image in enumerate(pixels):
        Image.fromarray(image).save(folder / f"{number:04d}.png")
    return folder


@pytest.fixture
def images(tmp_path):
    """Train, test and generated images of 8 × 8 pixels; 5 of the 40 generated are copies."""
    rng = np.random.default_rng(0)
    pixels = {
        "train": rng.integers(0, 256, (80, 8, 8, 3), dtype=np.uint8),
        "test": rng.integers(0, 256, (40, 8, 8, 3), dtype=np.uint8),
        "generated": rng.integers(0, 256, (40, 8, 8, 3), dtype=np.uint8),
    }
    pixels["generated"][3:8] = pixels["train"][20:25]
    return {role: write_images(tmp_path / role, array) for role, array in pixels.items()}


@pytest.fixture
def features():
    """Rows of 12 features; 5 of the 60 generated are near copies of training rows."""
    rng = np.random.default_rng(1)
    sets = {
        "generated": rng.normal(0.3, 0.9, (60, 12)).astype(np.float32),
        "train": rng.normal(size=(100, 12)).astype(np.float32),
        "test": rng.normal(size=(50, 12)).astype(np.float32),
    }
    sets["generated"][:5] = sets["train"][:5] + np.float32(0.01)
    return sets
