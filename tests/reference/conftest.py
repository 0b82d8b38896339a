import hashlib
import json

import numpy as np
import pytest
from PIL import Image

from genmem import build_reference


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


@pytest.fixture
def reference(tmp_path, features):
    """A reference of features with held-out rows."""
    return build_reference(
        train=features["train"], test=features["test"], out=tmp_path / "train.genmem"
    )


@pytest.fixture
def forge(reference):
    """Change an array of the reference, or its space in the manifest, and write its digests anew.

    `forge(name, change)`: `change` takes the array and returns another, or changes the document.
    """
    path = reference.folder / "manifest.json"

    def forge_files(name, change):
        document = json.loads(path.read_text(encoding="utf-8"))
        if name == "manifest":
            change(document["spaces"][0])
        else:
            file = reference.folder / "features" / f"{name}.npy"
            np.save(file, change(np.load(file)))
        for file in document["files"]:
            content = (reference.folder / file).read_bytes()
            digest = hashlib.sha256(content).hexdigest()
            document["files"][file] = {"bytes": len(content), "sha256": digest}
        path.write_text(json.dumps(document), encoding="utf-8")

    return forge_files
