"""Disguises of copied images."""

import numpy as np
import pytest

from genmem.errors import InputError, UsageError
from genmem.images.disguises import DISGUISES, apply_disguise
from genmem.images.disguises.geometry import crop, tilt
from genmem.images.disguises.values import shrink


@pytest.fixture(scope="module")
def pair():
    """Two pictures of different sizes with structure at all scales, uint8 [H, W, 3]."""
    rng = np.random.default_rng(0)
    coarse = np.kron(rng.integers(0, 256, (6, 8, 3)), np.ones((12, 12, 1)))
    first = np.clip(coarse + rng.normal(0, 12, coarse.shape), 0, 255).astype(np.uint8)
    return first, np.ascontiguousarray(first[:50, 20:, ::-1])


@pytest.mark.parametrize("name", DISGUISES)
def test_a_disguise_changes_the_image_and_keeps_type_and_size(name, pair):
    image, other = pair
    before = image.copy()
    changed = apply_disguise(name, image, other=other, seed=1)
    height, width = image.shape[:2]
    expected = (width, height, 3) if name == "rotate 90" else image.shape
    assert changed.shape == expected
    assert changed.dtype == np.uint8
    assert changed.shape != image.shape or (changed != image).any()
    assert (image == before).all()


@pytest.mark.parametrize("name", DISGUISES)
def test_the_same_seed_gives_the_same_pixels(name, pair):
    image, other = pair
    first, again = (apply_disguise(name, image, other=other, seed=7) for _ in range(2))
    assert (first == again).all()


@pytest.mark.parametrize("size", [(8, 8), (9, 40), (33, 8)])
@pytest.mark.parametrize("name", DISGUISES)
def test_small_images_become_images_too(name, size):
    image = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    changed = apply_disguise(name, image, other=image[::-1], seed=0)
    assert changed.dtype == np.uint8
    assert changed.ndim == 3
    assert changed.shape[2] == 3
    assert changed.size


def test_an_unknown_disguise_is_refused():
    image = np.zeros((9, 9, 3), np.uint8)
    with pytest.raises(UsageError, match="expected one of JPEG 90"):
        apply_disguise("magic", image, other=image, seed=0)


def test_an_image_without_room_is_refused():
    image = np.zeros((7, 40, 3), np.uint8)
    with pytest.raises(InputError, match="at least 8 pixels, got 40 × 7"):
        apply_disguise("frame", image, other=image, seed=0)


def test_a_whole_crop_and_no_tilt_change_nothing(pair):
    image, _ = pair
    rng = np.random.default_rng(0)
    assert (crop(image, rng, side=1.0) == image).all()
    assert (tilt(image, rng, strength=0.0) == image).all()


def test_shrinking_always_loses_detail(pair):
    image, _ = pair
    assert (shrink(image, side=10_000) != image).any()


def test_a_half_of_a_join_is_the_image_unchanged(pair):
    image, other = pair
    joined = apply_disguise("half and half", image, other=other, seed=0)
    middle = image.shape[1] // 2
    assert (joined[:, :middle] == image[:, :middle]).all()
    assert (joined[:, middle:] != image[:, middle:]).any()
