import io
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import genmem.features as features
from genmem.images import open_images


@pytest.fixture(scope="session", autouse=True)
def _own_cache(tmp_path_factory):
    """Keep every test of this room out of the user's caches, and exports shared between tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GENMEM_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setenv("TORCH_HOME", str(tmp_path_factory.mktemp("torch")))
        patch.delenv("GENMEM_WEIGHTS", raising=False)
        yield


@pytest.fixture
def noise():
    """Twelve noise images of one size, uint8 [12, 20, 24, 3]."""
    return np.random.default_rng(0).integers(0, 256, (12, 20, 24, 3), dtype=np.uint8)


@pytest.fixture
def noise_source(noise):
    with open_images(noise) as source:
        yield source


@pytest.fixture
def folder_with_one_broken(tmp_path, noise):
    """Five PNG images in a folder; the third is truncated."""
    folder = tmp_path / "images"
    folder.mkdir()
    for number, image in enumerate(noise[:5]):
        buffer = io.BytesIO()
        Image.fromarray(image).save(buffer, "PNG")
        content = buffer.getvalue()
        (folder / f"{number}.png").write_bytes(content[:200] if number == 2 else content)
    return folder


@pytest.fixture(scope="session")
def pixels():
    return features.load_backbone("pixels")


@pytest.fixture(scope="session")
def lite0():
    return features.load_backbone("efficientnet-lite0", device="cpu")


@pytest.fixture(scope="session")
def cifar_test_zip():
    """The path of CIFAR-10's test images."""
    path = Path(os.environ.get("GENMEM_TEST_DATA", "../shared/data")) / "cifar10" / "test.zip"
    if not path.is_file() or not zipfile.is_zipfile(path):
        pytest.skip(f"CIFAR-10 is not at {path}; set GENMEM_TEST_DATA")
    return path
