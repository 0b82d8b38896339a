import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch_fidelity.interpolate_compat_tensorflow import interpolate_bilinear_2d_like_tensorflow1x

from genmem.features.preprocessing import Crop, Identity, Stretch, resize_bilinear

SIZES = [(32, 32), (64, 48), (299, 299), (1, 1), (7, 500), (411, 310)]


def image_of(height, width, seed=0):
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


def as_torch(image):
    return torch.from_numpy(image.copy()).permute(2, 0, 1)[None]


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_the_tf1_resize_equals_torch_fidelitys_to_the_bit(height, width):
    image = image_of(height, width)
    theirs = interpolate_bilinear_2d_like_tensorflow1x(
        as_torch(image).float(), size=(299, 299), align_corners=False
    )
    ours = Stretch(299, half_pixel=False).apply(image)
    assert np.array_equal(ours, theirs[0].permute(1, 2, 0).numpy())


@pytest.mark.parametrize(("height", "width"), SIZES)
def test_the_half_pixel_resize_equals_torchs(height, width):
    image = image_of(height, width)
    theirs = torch.nn.functional.interpolate(
        as_torch(image).float(), (331, 331), mode="bilinear", align_corners=False
    )
    ours = Stretch(331, half_pixel=True).apply(image)
    np.testing.assert_allclose(ours, theirs[0].permute(1, 2, 0).numpy(), atol=1e-2)


@given(st.integers(1, 40), st.integers(1, 40), st.booleans())
@settings(deadline=None, max_examples=30)
def test_resizing_to_the_same_size_changes_nothing(height, width, half_pixel):
    image = image_of(height, width)
    same = resize_bilinear(image, height=height, width=width, half_pixel=half_pixel)
    assert np.array_equal(same, image)


@pytest.mark.parametrize("half_pixel", [False, True])
@pytest.mark.parametrize(("height", "width"), SIZES)
def test_a_stretch_of_a_batch_equals_that_of_each_image(height, width, half_pixel):
    stretch = Stretch(99, half_pixel=half_pixel)
    image = image_of(height, width)
    batch = stretch.apply_tensor(as_torch(image))
    np.testing.assert_allclose(batch[0].numpy(), stretch.apply(image), atol=1e-3)


@pytest.mark.parametrize("filter", [Image.Resampling.BICUBIC, Image.Resampling.BILINEAR])
@pytest.mark.parametrize(
    ("height", "width"), [(32, 32), (300, 200), (77, 513), (513, 77), (256, 256)]
)
def test_resizing_inside_the_crop_equals_cropping_what_was_resized(height, width, filter):
    image = image_of(height, width)
    whole = (256 * width // height, 256) if height <= width else (256, 256 * height // width)
    left, top = round((whole[0] - 224) / 2), round((whole[1] - 224) / 2)
    resized = Image.fromarray(image).resize(whole, filter)
    expected = np.asarray(resized.crop((left, top, left + 224, top + 224)), dtype=int)
    ours = Crop(224, 256, filter).apply(image).astype(int)
    assert ours.shape == (224, 224, 3)
    assert np.abs(ours - expected).max() <= 1
    assert (ours != expected).mean() < 2e-3


@pytest.mark.parametrize(("height", "width"), [(32, 32), (300, 200), (77, 513)])
@pytest.mark.parametrize("resize", [None, 256])
def test_a_crop_of_a_batch_is_within_two_levels_of_pillows(height, width, resize):
    crop = Crop(224, resize, Image.Resampling.BICUBIC)
    image = image_of(height, width)
    batch = crop.apply_tensor(as_torch(image))[0].numpy()
    assert np.abs(batch - crop.apply(image)).max() <= 2


def test_timms_own_transform_gives_the_same_pixels():
    from timm.data.transforms_factory import create_transform

    theirs = create_transform(
        224, is_training=False, interpolation="bicubic", crop_pct=0.875, normalize=False
    )
    image = image_of(90, 140)
    expected = np.asarray(theirs(Image.fromarray(image))).transpose(1, 2, 0)
    ours = Crop(224, 256, Image.Resampling.BICUBIC).apply(image)
    assert expected.dtype == np.uint8
    assert np.abs(ours.astype(int) - expected.astype(int)).max() <= 1


def test_names_tell_the_ways_apart():
    ways = [
        Stretch(299, half_pixel=False),
        Stretch(299, half_pixel=True),
        Stretch(331, half_pixel=True),
        Crop(224, 256, Image.Resampling.BICUBIC),
        Crop(224, None, Image.Resampling.BICUBIC),
        Crop(224, 256, Image.Resampling.BILINEAR),
        Identity(),
    ]
    assert len({way.name for way in ways}) == len(ways)
