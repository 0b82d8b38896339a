"""Augmentations do what their names say; the identity does nothing."""

import numpy as np
import pytest
from PIL import Image, ImageFilter

from genmem.errors import UsageError
from genmem.images import AUGMENTATIONS, IDENTITY, parse_augmentations


@pytest.fixture
def image():
    return np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)


def test_the_identity_comes_first_and_changes_nothing(image):
    augmentations = parse_augmentations(["flip", "crops"])
    assert augmentations[0] == IDENTITY
    assert (IDENTITY.apply(image) == image).all()
    assert len({augmentation.name for augmentation in augmentations}) == len(augmentations) == 12


def test_flip_mirrors_left_and_right(image):
    (flip,) = AUGMENTATIONS["flip"]
    assert (flip.apply(image) == image[:, ::-1]).all()


@pytest.mark.parametrize("crop", AUGMENTATIONS["crops"], ids=lambda crop: crop.name)
def test_crops_keep_the_size_and_show_the_part_they_name(crop, image):
    cropped = crop.apply(image)
    assert cropped.shape == image.shape
    assert cropped.dtype == np.uint8
    marked = np.zeros((100, 100, 3), np.uint8)
    marked[:50, :50] = 255
    left, top, right, bottom = crop.box
    share = (0.5 - left) / (right - left) * (0.5 - top) / (bottom - top)
    assert crop.apply(marked).mean() / 255 == pytest.approx(share, abs=0.01)


def test_crops_reach_the_corners():
    boxes = {crop.name: crop.box for crop in AUGMENTATIONS["crops"]}
    assert boxes["crop 0.9 top left"] == pytest.approx((0, 0, 0.9, 0.9))
    assert boxes["crop 0.9 bottom right"] == pytest.approx((0.1, 0.1, 1, 1))
    assert boxes["crop 0.8 centre"] == pytest.approx((0.1, 0.1, 0.9, 0.9))


def test_quarter_turns_are_exact_and_exchange_the_sides(image):
    quarter, half, _ = AUGMENTATIONS["rotations"]
    assert quarter.apply(image).shape == (30, 20, 3)
    assert (quarter.apply(quarter.apply(image)) == half.apply(image)).all()
    (upside_down,) = AUGMENTATIONS["vflip"]
    assert (upside_down.apply(image) == image[::-1]).all()


@pytest.mark.parametrize("tilt", AUGMENTATIONS["tilts"], ids=lambda tilt: tilt.name)
@pytest.mark.parametrize("shape", [(40, 60), (41, 7), (1, 50)])
def test_tilts_keep_the_size_and_the_middle_and_leave_no_black_corner(tilt, shape):
    bright = np.full((*shape, 3), 200, np.uint8)
    assert (tilt.apply(bright) == 200).all()
    marked = np.zeros((61, 61, 3), np.uint8)
    marked[26:35, 26:35] = 255
    assert (tilt.apply(marked)[28:33, 28:33] == 255).all()


def test_tilts_are_those_of_pillow_on_an_image_reflected_at_its_edges(image):
    smooth = np.asarray(Image.fromarray(image).filter(ImageFilter.GaussianBlur(2)))
    mirrored = np.pad(smooth, ((20, 20), (30, 30), (0, 0)), mode="symmetric")
    for tilt in AUGMENTATIONS["tilts"]:
        turned = Image.fromarray(mirrored).rotate(tilt.degrees, resample=Image.BILINEAR)
        assert (tilt.apply(smooth) == np.asarray(turned.crop((30, 20, 60, 40)))).all()


def test_gray_takes_the_color_and_keeps_the_lightness(image):
    (gray,) = AUGMENTATIONS["gray"]
    result = gray.apply(image)
    assert (result == result[..., :1]).all()
    assert result[..., 0] == pytest.approx(image @ [0.299, 0.587, 0.114], abs=1)


@pytest.mark.parametrize("groups", [["rotate"], ["flip", "flip"]])
def test_unknown_or_repeated_groups_are_refused(groups):
    with pytest.raises(UsageError, match="augment"):
        parse_augmentations(groups)
