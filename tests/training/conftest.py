import io
import zipfile

import numpy as np
import pytest
import torch
from PIL import Image


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


def png(pixels):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG")
    return buffer.getvalue()


@pytest.fixture
def images(tmp_path):
    """A zip of 24 images of 16 × 16 pixels in two classes, smooth enough to learn."""
    rng = np.random.default_rng(0)
    path = tmp_path / "train.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(24):
            coarse = rng.integers(0, 256, (4, 4, 3), dtype=np.uint8)
            pixels = coarse.repeat(4, axis=0).repeat(4, axis=1)
            folder = "cat" if number % 2 else "dog"
            archive.writestr(f"{folder}/{number:02d}.png", png(pixels))
    return path


@pytest.fixture
def small(images):
    """Settings of a run that takes a second or two."""
    return {
        "model": "sagan",
        "data": str(images),
        "size": 16,
        "width": 4,
        "z": 8,
        "batch": 4,
        "discriminator_steps": 1,
        "steps": 6,
        "average_decay": 0.5,
        "average_from": 2,
        "augment": True,
        "tau": 0.05,
        "embedding": "pixels",
        "measure_with": [],
        "log_every": 0,
        "save_every": 2,
        "sample_every": 0,
    }
