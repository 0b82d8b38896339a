"""An audit whose rows lie on a GPU, which is emulated."""

from typing import Any

import numpy as np
import pytest
import torch

from genmem import audit

from ..emulated_devices import EmulatedDevice

RANDOM = np.random.default_rng(0)
FEATURES: dict[str, Any] = {
    role: RANDOM.normal(size=(count, 16)).astype(np.float32)
    for role, count in (("generated", 100), ("train", 120), ("test", 90))
}
FEATURES["generated"][:9] = FEATURES["train"][:9] * 1.0001
FEATURES["train"][50] = FEATURES["train"][51]
PIXELS = {
    role: RANDOM.integers(0, 256, (count, 8, 8, 3), dtype=np.uint8)
    for role, count in (("generated", 40), ("train", 50), ("test", 40))
}
PIXELS["generated"][:5] = PIXELS["train"][:5, :, ::-1]


@pytest.fixture
def gpu(monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    return EmulatedDevice("cuda", free=2**30)


def assert_same(found, expected):
    np.testing.assert_allclose(found.p_values, expected.p_values, rtol=1e-9)
    np.testing.assert_array_equal(found.flagged, expected.flagged)
    for one, other in zip(found.spaces, expected.spaces, strict=True):
        np.testing.assert_array_equal(one.train, other.train)
    assert found.verdict == expected.verdict
    assert found.notes == expected.notes


@pytest.mark.parametrize("settings", [{}, {"drop_duplicates": True}, {"groups": "near-duplicates"}])
def test_rows_that_fit_are_searched_on_the_gpu(gpu, settings):
    expected = audit(**FEATURES, device="cpu", **settings)
    with gpu:
        found = audit(**FEATURES, device="cuda", **settings)
    assert gpu.waits["nonzero"] > 10
    assert_same(found, expected)


def test_augmented_training_images_are_compared_with_rows_on_the_gpu(gpu):
    settings = {"backbone": ["pixels@8"], "augment": ["flip"]}
    expected = audit(**PIXELS, device="cpu", **settings)
    with gpu:
        found = audit(**PIXELS, device="auto", **settings)
    assert (found.spaces[0].augmentations[:5, 0] == 1).all()
    assert_same(found, expected)
