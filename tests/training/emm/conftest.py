import numpy as np
import pytest
import torch
from PIL import Image

from genmem.training.emm.dataset import look_at
from genmem.training.emm.study import Request

from .small_models import TINY


@pytest.fixture(autouse=True, scope="module")
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def images(tmp_path):
    """24 images of 4 × 4 noise and two that repeat others, in three classes, as PNGs."""
    rng = np.random.default_rng(0)
    pixels = rng.integers(0, 256, (24, 4, 4, 3), np.uint8)
    pixels = np.concatenate([pixels, pixels[:2]])
    for number, one in enumerate(pixels):
        folder = tmp_path / "images" / "abc"[number % 3]
        folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(one).save(folder / f"{number:02d}.png")
    return tmp_path / "images"


@pytest.fixture
def request_of(images):
    """A function that makes a request of a study which takes a second."""
    source = look_at(str(images))

    def make(**changes):
        base = {"source": source, "base": TINY, "sizes": (4, 8, 16), "seeds": 2}
        return Request(**(base | changes))

    return make
