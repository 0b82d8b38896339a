"""`RunningScore` in a training loop gives what `score` gives on all images at once."""

import numpy as np
import pytest
import torch

import genmem
from genmem import InputError, UsageError


@pytest.fixture
def pixels():
    rng = np.random.default_rng(2)
    return {
        "train": rng.integers(0, 256, (60, 8, 8, 3), dtype=np.uint8),
        "test": rng.integers(0, 256, (30, 8, 8, 3), dtype=np.uint8),
        "generated": rng.integers(0, 256, (30, 8, 8, 3), dtype=np.uint8),
    }


def test_batches_of_images_equal_one_score(pixels):
    whole = genmem.score(**pixels, backbone="pixels")
    running = genmem.RunningScore(train=pixels["train"], test=pixels["test"], backbone="pixels")
    running.update(pixels["generated"][:7])
    running.update(torch.from_numpy(pixels["generated"][7:20]).permute(0, 3, 1, 2))
    running.update(torch.from_numpy(pixels["generated"][20:]))
    assert running.count == 30
    assert running.compute().metrics == whole.metrics


def test_merged_workers_equal_one_worker(features):
    whole = genmem.score(**features)
    fixed = {"train": features["train"], "test": features["test"]}
    first, second = (genmem.RunningScore(**fixed) for _ in range(2))
    first.update(features["generated"][:25])
    second.update(torch.from_numpy(features["generated"][25:]))
    first.merge(second)
    assert first.compute().metrics == whole.metrics


def test_reset_clears_the_generated_images_but_not_train(features):
    running = genmem.RunningScore(train=features["train"], metrics=["fd"])
    running.update(features["generated"] + 5)
    far = float(running.compute()["fd"])
    running.reset()
    running.update(features["generated"])
    assert float(running.compute()["fd"]) < far


def test_compute_before_any_batch_says_so(features):
    with pytest.raises(InputError, match="at least one batch"):
        genmem.RunningScore(train=features["train"]).compute()


def test_images_against_training_features_are_refused(features, pixels):
    running = genmem.RunningScore(train=features["train"])
    with pytest.raises(UsageError, match="give train as images too"):
        running.update(pixels["generated"])


def test_workers_with_different_training_sets_cannot_be_merged(features):
    first = genmem.RunningScore(train=features["train"])
    second = genmem.RunningScore(train=features["test"])
    with pytest.raises(UsageError, match="same sets and backbone"):
        first.merge(second)


def test_an_unknown_metric_is_refused_by_the_constructor(features):
    with pytest.raises(UsageError, match="fdd"):
        genmem.RunningScore(train=features["train"], metrics=["fdd"])
