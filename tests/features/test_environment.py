"""The feature cache and the weights where there is no home, no room or no cache folder any more."""

import errno
import os
import shutil

import numpy as np
import pytest

import genmem.features as features
from genmem.errors import UsageError, WeightsError
from genmem.features import cache, feature_cache, weights
from genmem.images import open_images

from ..environments import no_home as no_home


def test_without_a_home_the_cache_in_the_environment_is_used(
    no_home, tmp_path, monkeypatch, noise_source, pixels
):
    monkeypatch.setenv("GENMEM_CACHE", str(tmp_path / "cache"))
    rows = features.extract(noise_source, extractor=pixels).array
    assert len(rows) == 12
    assert list((tmp_path / "cache" / "features").glob("*/features.npy"))


def test_without_a_home_or_a_setting_the_cache_is_one_line(
    no_home, monkeypatch, noise_source, pixels
):
    monkeypatch.delenv("GENMEM_CACHE")
    with pytest.raises(UsageError, match=r"no home directory .* Set \$GENMEM_CACHE to a folder"):
        features.extract(noise_source, extractor=pixels)
    assert len(features.extract(noise_source, extractor=pixels, cache=None).array) == 12


def test_without_a_home_every_backbone_has_a_status(no_home):
    for backbone in features.backbones():
        assert features.weights_status(backbone).where


def test_without_a_home_nothing_is_downloaded_into_a_folder_named_tilde(
    no_home, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    source = weights.UrlFile(url="http://127.0.0.1:9/net-12345678.pth", sha256="12345678")
    assert source.find() is None
    with pytest.raises(WeightsError, match=r"no home directory .* set \$TORCH_HOME.*Put it in \$"):
        weights.obtain_weights(source, backbone="net")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", "~/.cache/huggingface/hub")
    with pytest.raises(WeightsError, match=r"no home directory .* set \$HF_HOME"):
        weights.obtain_weights(weights.HubFile(repository="a/b"), backbone="net")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("number", "advice"),
    [
        (errno.ENOSPC, r"Make room there, or set \$GENMEM_CACHE"),
        (errno.EACCES, r"\(permission denied\)\. Set \$GENMEM_CACHE"),
        (errno.EROFS, r"\(read-only file system\)\. Set \$GENMEM_CACHE"),
    ],
)
def test_the_advice_fits_what_is_wrong_with_the_cache(number, advice, tmp_path, monkeypatch):
    def refuse(*_, **__):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("pathlib.Path.mkdir", refuse)
    with pytest.raises(UsageError, match=advice), cache.locked(tmp_path / "x", "key", None):
        pass


def test_a_cache_removed_during_a_run_is_named_so(tmp_path, pixels, monkeypatch):
    monkeypatch.setattr(feature_cache, "FLUSH_SECONDS", 0.0)
    images = np.random.default_rng(0).integers(0, 256, (200, 8, 8, 3), np.uint8)

    def remove(stage, done, total):
        if stage.startswith("features") and done:
            shutil.rmtree(tmp_path / "cache", ignore_errors=True)

    with (
        open_images(images) as source,
        pytest.raises(UsageError, match=r"It was removed while it was in use; run the command"),
    ):
        features.extract(
            source, extractor=pixels, cache=tmp_path / "cache", batch_size=20, progress=remove
        )


def test_an_error_of_the_images_is_not_blamed_on_the_cache(tmp_path, pixels, noise_source):
    def fail(stage, done, total):
        if done:
            raise OSError(errno.EIO, "input/output error", "image.png")

    with pytest.raises(OSError, match=r"input/output error: 'image\.png'"):
        features.extract(noise_source, extractor=pixels, cache=tmp_path / "cache", progress=fail)
