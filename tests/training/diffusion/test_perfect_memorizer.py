"""The optimal denoiser's samples on 2,000 CIFAR-10 images, which every metric must call copies."""

import numpy as np
import pytest

import genmem
from genmem.training.common.config import ImageSelection
from genmem.training.common.dataset import load_training_images
from genmem.training.diffusion import OptimalDenoiser, sample
from genmem.training.diffusion.sampler import Sampling

COUNT = 100


@pytest.fixture(scope="module")
def sets(cifar10_zips):
    """Samples, training images and held-out ones: rows of pixels, float32 [n, 3072]."""
    train, test = (
        load_training_images(zipped, ImageSelection(size=32, limit=count))
        for zipped, count in zip(cifar10_zips, (2_000, 500), strict=True)
    )
    drawn = sample(
        OptimalDenoiser(train.pixels), COUNT, shape=(3, 32, 32), sampling=Sampling(seed=0)
    )
    return {
        side: pixels.reshape(len(pixels), -1).astype(np.float32)
        for side, pixels in {"generated": drawn, "train": train.pixels, "test": test.pixels}.items()
    }


def test_it_draws_many_training_images_and_nothing_else(sets):
    known = {row.tobytes() for row in sets["train"]}
    drawn = {row.tobytes() for row in sets["generated"]}
    assert drawn <= known
    assert len(drawn) > COUNT * 0.8


def test_every_metric_of_copying_says_that_all_of_it_is_copied(sets):
    pair = {"generated": sets["generated"], "train": sets["train"]}
    assert genmem.memorization_ratio(**pair).value == 1.0
    assert genmem.copied_fraction(**sets).value == 1.0
    assert genmem.memorization_distance(**pair).value == pytest.approx(0.0, abs=1e-6)
    assert genmem.authpct(**pair).value == 0.0
    assert genmem.c_t(**sets).value < -10


def test_no_metric_of_copying_says_so_of_held_out_images(sets):
    honest = sets | {"generated": sets["test"][:COUNT], "test": sets["test"][COUNT:]}
    pair = {"generated": honest["generated"], "train": honest["train"]}
    assert genmem.memorization_ratio(**pair).value == 0.0
    assert genmem.copied_fraction(**honest).value < 0.1
    assert abs(genmem.c_t(**honest).value) < 4
