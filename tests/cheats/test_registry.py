"""What every cheat generates, and what is refused."""

from functools import cache

import numpy as np
import pytest

from genmem.cheats import Cheat, CheatOptions, generate_images, registry
from genmem.cheats.augmentation import AUGMENTATIONS
from genmem.cheats.mixing import draw_members
from genmem.errors import InputError, UsageError

METHODS = tuple(registry())


def generate(method, images, *, count=2, seed=0, **options):
    return generate_images(method, images, count=count, seed=seed, options=CheatOptions(**options))


@pytest.fixture(scope="module")
def one_of_each(images):
    """A function that generates as many images as there are training images, once by each cheat."""
    return cache(lambda method, **options: generate(method, images, count=len(images), **options))


def sources(images, generated):
    """The nearest training image of each generated one, and the root mean square difference."""
    gaps = generated[:, None].astype(float) - images[None]
    errors = np.sqrt(np.square(gaps).mean(axis=(2, 3, 4)))
    return errors.argmin(axis=1), errors.min(axis=1)


def members(images, count, seed=0):
    """The training images that are copied, in order."""
    return draw_members(count, len(images), np.random.default_rng(seed))


@pytest.mark.parametrize("method", METHODS)
def test_every_cheat_generates_images_of_the_training_images_size(images, method):
    generated = generate(method, images, count=5, seed=1)
    assert generated.dtype == np.uint8
    assert generated.shape == (5, *images.shape[1:])
    assert generated.flags.c_contiguous


@pytest.mark.parametrize("method", METHODS)
def test_the_same_seed_gives_the_same_images_and_another_seed_others(images, method):
    first, second = (generate(method, images, count=4, seed=3) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert (generate(method, images, count=4, seed=4) != first).any()


@pytest.mark.parametrize(
    ("method", "levels"), [("mgan", 9), ("mgan-store", 10), ("sup", 3), ("ae", 40)]
)
def test_trained_cheats_come_near_each_training_image_once(images, one_of_each, method, levels):
    generated = one_of_each(method)
    result, errors = sources(images, generated)
    np.testing.assert_array_equal(result, members(images, len(images)))
    assert (errors < levels).all(), errors


@pytest.mark.parametrize("method", ["mgan", "mgan-store", "sup", "ae"])
def test_trained_cheats_are_no_exact_copies(images, one_of_each, method):
    assert (sources(images, one_of_each(method))[1] > 0).all()


@pytest.mark.parametrize("method", ["mgan", "sup", "ae", "aug"])
def test_more_images_than_there_are_to_copy_are_not_repeated(images, method):
    generated = generate(method, images, count=2 * len(images))
    assert len({one.tobytes() for one in generated}) > len(images)


@pytest.mark.parametrize("method", ["mgan-store", "sup"])
def test_a_mixture_is_the_stated_share_of_two_memorized_images(images, method):
    whole = generate(method, images, count=len(images), mix=1)
    mixed = generate(method, images, count=len(images), mix=0.7)
    first = whole.astype(float)
    for place, one in enumerate(mixed):
        expected = 0.7 * first[place] + 0.3 * first
        differences = np.abs(one - expected).max(axis=(1, 2, 3))
        differences[place] = np.inf
        assert differences.min() <= 0.5 + 1e-9, "no second image gives this mixture"


def test_one_image_is_mixed_with_another_too(images):
    generated = generate("sup", images, count=1, mix=0.5)[0]
    assert sources(images, generated[None])[1] > 5


@pytest.mark.parametrize("augmentation", AUGMENTATIONS)
def test_aug_makes_each_augmentation(images, augmentation):
    generated = generate("aug", images, count=6, augmentation=augmentation)
    assert (generated != images[members(images, 6)]).any(axis=(1, 2, 3)).all()


def test_a_flip_is_the_mirrored_training_image(images):
    generated = generate("aug", images, count=12, augmentation="flips")
    np.testing.assert_array_equal(generated, images[members(images, 12)][:, :, ::-1])


def test_noise_is_of_the_stated_width(images):
    grey = np.full((2, 64, 64, 3), 128, np.uint8)
    grey[1] += 1
    generated = generate("aug", grey, count=2, augmentation="noise")
    assert 3.8 < (generated.astype(float) - 128.5).std() < 4.3


def test_a_crop_is_a_part_of_the_image(images):
    ramp = np.arange(16, dtype=np.uint8)[None, :, None, None] * np.ones((2, 1, 16, 3), np.uint8)
    ramp[1] += 100
    generated = generate("aug", ramp, count=2, augmentation="crops").astype(float)
    for one in generated:
        column = one[:, 0, 0]
        assert (np.diff(column) >= 0).all()
        assert 9 <= column[-1] - column[0] <= 14  # 70 to 90 % of 16 rows


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros((1, 16, 16, 3), np.uint8), "at least 2 different training images, got 1"),
        (np.zeros((3, 16, 16, 3), np.uint8), "got 3 that are all the same"),
        (np.zeros((0, 16, 16, 3), np.uint8), "at least 2 different training images, got 0"),
        (np.zeros((4, 7, 16, 3), np.uint8), "at least 8 pixels a side, got 16 × 7"),
        (np.zeros((4, 16, 16), np.uint8), r"expected uint8 \[n, H, W, 3\], got uint8 \[4, 16, 16"),
        (np.zeros((4, 16, 16, 3)), r"expected uint8 \[n, H, W, 3\], got float64"),
    ],
)
@pytest.mark.parametrize("method", ["mgan", "aug"])
def test_images_that_cannot_be_used_are_refused(method, images, message):
    with pytest.raises(InputError, match=message):
        generate(method, images, count=2)


@pytest.mark.parametrize(
    ("method", "options", "message"),
    [
        ("gan", {}, "expected one of mgan, mgan-store, sup, ae, aug, got 'gan'"),
        ("ae", {"count": 0}, "at least 1 image and at most 1,000,000, got 0"),
        ("ae", {"seed": -1}, "from 0 to"),
        ("ae", {"mix": 0.9}, "ae mixes no images"),
        ("sup", {"mix": 0.4}, r"a share in \[0.5, 1\], got 0.4"),
        ("sup", {"mix": float("nan")}, "got nan"),
        ("sup", {"augmentation": "crops"}, "only aug has"),
        ("aug", {"augmentation": "turns"}, "got 'turns'"),
    ],
)
def test_senseless_calls_are_refused(images, method, options, message):
    with pytest.raises(UsageError, match=message):
        generate(method, images, **options)


def test_sides_that_are_not_square_nor_multiples_of_four_work(images):
    odd = images[:, :13, :10]
    for method in ("mgan", "ae", "aug"):
        assert generate(method, odd, count=3).shape == (3, 13, 10, 3)


def test_another_package_s_cheat_is_used_by_its_name(images, monkeypatch):
    copy = Cheat(
        description="exact copies", generate=lambda request: request.images[request.members]
    )
    monkeypatch.setattr("genmem.plugins.load", lambda group: {"copy": copy})
    generated = generate("copy", images, count=len(images))
    np.testing.assert_array_equal(generated, images[members(images, len(images))])
    with pytest.raises(UsageError, match="copy mixes no images; only mgan-store and sup do"):
        generate("copy", images, mix=0.7)
