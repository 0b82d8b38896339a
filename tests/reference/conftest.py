import numpy as np
import pytest
from PIL import Image


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    """Every test has a cache of its own, so that none profits from another."""
    monkeypatch.setenv("GENMEM_CACHE", str(tmp_path / "cache"))


def write_images(folder, pixels):
    """uint8 [n, H, W, 3] as 0000.png, … in folders a and b of a new folder, which is returned."""
    for number, image in enumerate(pixels):
        path = folder / "ab"[number % 2] / f"{number:04d}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image).save(path)
    return folder


@pytest.fixture
def images(tmp_path):
    """Train, test and generated images of 16 × 16 pixels; train has a repeat and a near-duplicate.

    5 of the 40 generated images are copies.
    """
    rng = np.random.default_rng(0)
    pixels = {
        role: rng.integers(0, 256, (count, 16, 16, 3), dtype=np.uint8)
        for role, count in (("train", 60), ("test", 40), ("generated", 40))
    }
    pixels["train"][7] = pixels["train"][3]
    pixels["train"][9] = pixels["train"][4]
    pixels["train"][9, 0, 0] ^= 7
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
    sets["train"][31] = sets["train"][30]
    return sets
