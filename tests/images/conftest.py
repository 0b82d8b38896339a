import io
import os
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


def encode(pixels, kind="PNG", **options):
    """Pixels as the bytes of an image file."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind, **options)
    return file.getvalue()


@pytest.fixture
def encoded():
    return encode


@pytest.fixture
def pixels():
    """Six random 8 × 8 images, uint8 [6, 8, 8, 3]."""
    return np.random.default_rng(0).integers(0, 256, (6, 8, 8, 3), np.uint8)


@pytest.fixture
def files(pixels):
    """Six PNGs by name, in two folders and at the root; not in the order of their names."""
    names = ["dog/b.png", "cat/10.png", "cat/9.png", "a.png", "dog/é.png", "cat-a.png"]
    return {name: encode(image) for name, image in zip(names, pixels, strict=True)}


@pytest.fixture
def build_folder(tmp_path):
    def make(files, name="folder"):
        for path, content in files.items():
            file = tmp_path / name / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
        return tmp_path / name

    return make


@pytest.fixture
def build_zip(tmp_path):
    def make(files, name="images.zip", compression=zipfile.ZIP_DEFLATED):
        with zipfile.ZipFile(tmp_path / name, "w", compression) as archive:
            for path, content in files.items():
                archive.writestr(path, content)
        return tmp_path / name

    return make


@pytest.fixture
def build_tar(tmp_path):
    def make(files, name="images.tar", mode="w"):
        with tarfile.open(tmp_path / name, mode) as archive:
            for path, content in files.items():
                entry = tarfile.TarInfo(path)
                entry.size = len(content)
                archive.addfile(entry, io.BytesIO(content))
        return tmp_path / name

    return make


@pytest.fixture(scope="session")
def cifar10():
    """The folder with CIFAR-10's zips."""
    root = Path(__file__).parents[2]
    folder = root / os.environ.get("GENMEM_TEST_DATA", "../shared/data") / "cifar10"
    if not folder.is_dir():
        pytest.skip("CIFAR-10 is not in $GENMEM_TEST_DATA (default ../shared/data)")
    return folder
