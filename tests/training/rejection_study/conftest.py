import numpy as np
import pytest


@pytest.fixture(scope="module")
def sets(tmp_path_factory):
    """Sources of 60 training and 80 held-out images of 16 × 16 pixels, smooth enough to learn."""
    folder = tmp_path_factory.mktemp("sets")
    rng = np.random.default_rng(0)
    for name, count in (("train", 60), ("test", 80)):
        coarse = rng.integers(0, 256, (count, 4, 4, 3), dtype=np.uint8)
        np.save(folder / f"{name}.npy", coarse.repeat(4, axis=1).repeat(4, axis=2))
    return {name: str(folder / f"{name}.npy") for name in ("train", "test")}


@pytest.fixture(scope="module")
def training():
    """Configuration of runs that take a second."""
    return {
        "size": 16,
        "width": 4,
        "z_dim": 8,
        "batch_size": 8,
        "discriminator_steps": 1,
        "steps": 30,
        "max_tries": 2,
        "log_every": 10,
        "save_every": 2,
        "sample_every": 0,
        "samples": 60,
    }
