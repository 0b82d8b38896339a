import copy
from dataclasses import replace
from pathlib import Path

import pytest
from PIL import Image

import genmem.features as features
from genmem.features import cache_key
from genmem.features.preprocessing import Crop
from genmem.images import hash_images, open_images


@pytest.mark.parametrize(
    "part",
    [
        "images",
        "backbone",
        "weights",
        "preprocessing",
        "engine",
        "decoding rule",
        "version of the features",
    ],
)
def test_every_part_of_the_cache_key_changes_it(part, noise, pixels, monkeypatch):
    extractor = copy.copy(pixels)
    hashes = hash_images(open_images(noise))
    before = cache_key.features_key(hashes, extractor)
    assert cache_key.features_key(hash_images(open_images(noise.copy())), extractor) == before
    if part == "images":
        hashes = hash_images(open_images(noise[::-1].copy()))
    elif part == "backbone":
        extractor.backbone = replace(pixels.backbone, name="other")
    elif part == "weights":
        extractor.backbone = replace(pixels.backbone, digest=lambda: "0" * 64)
    elif part == "preprocessing":
        extractor.backbone = replace(
            pixels.backbone, preprocessing=Crop(8, None, Image.Resampling.BICUBIC)
        )
    elif part == "engine":
        extractor.engine = "torch cuda"
    elif part == "decoding rule":
        monkeypatch.setattr(cache_key, "DECODE_RULE", "other")
    else:
        monkeypatch.setattr(cache_key, "FEATURES_VERSION", "other")
    assert cache_key.features_key(hashes, extractor) != before


def test_the_cache_is_where_the_environment_says(monkeypatch, tmp_path):
    monkeypatch.setenv("GENMEM_CACHE", str(tmp_path / "here"))
    assert features.default_cache() == tmp_path / "here"
    monkeypatch.delenv("GENMEM_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert features.default_cache() == tmp_path / "xdg" / "genmem"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert features.default_cache() == Path("~/.cache/genmem").expanduser()
