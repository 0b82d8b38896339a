"""What every method makes, and what is refused."""

import numpy as np
import pytest

from genmem.cheats import METHODS, TRANSFORMATIONS, make
from genmem.cheats.mixing import drawn_members
from genmem.errors import InputError, UsageError


def sources(images, made):
    """For each made image, the nearest training image and the root mean square difference to it."""
    gaps = made[:, None].astype(float) - images[None]
    errors = np.sqrt(np.square(gaps).mean(axis=(2, 3, 4)))
    return errors.argmin(axis=1), errors.min(axis=1)


def members(images, count, seed=0):
    """The training images that `make` begins with, in order."""
    return drawn_members(count, len(images), np.random.default_rng(seed))


@pytest.mark.parametrize("method", METHODS)
def test_every_method_makes_pictures_of_the_training_images_size(images, method):
    made = make(method, images, count=5, seed=1)
    assert made.dtype == np.uint8
    assert made.shape == (5, *images.shape[1:])
    assert made.flags.c_contiguous


@pytest.mark.parametrize("method", METHODS)
def test_the_same_seed_gives_the_same_images_and_another_seed_others(images, method):
    first, second = (make(method, images, count=4, seed=3) for _ in range(2))
    np.testing.assert_array_equal(first, second)
    assert (make(method, images, count=4, seed=4) != first).any()


@pytest.mark.parametrize(
    ("method", "levels"), [("mgan", 9), ("mgan-store", 10), ("sup", 3), ("ae", 40)]
)
def test_trained_cheats_come_near_each_training_image_once(images, method, levels):
    made = make(method, images, count=len(images))
    found, errors = sources(images, made)
    np.testing.assert_array_equal(found, members(images, len(images)))
    assert (errors < levels).all(), errors


@pytest.mark.parametrize("method", ["mgan", "mgan-store", "sup", "ae"])
def test_trained_cheats_are_no_exact_copies(images, method):
    made = make(method, images, count=len(images))
    assert (sources(images, made)[1] > 0).all()


@pytest.mark.parametrize("method", ["mgan", "sup", "ae", "aug"])
def test_more_images_than_there_are_to_copy_are_not_repeated(images, method):
    made = make(method, images, count=2 * len(images))
    assert len({one.tobytes() for one in made}) > len(images)


@pytest.mark.parametrize("method", ["mgan-store", "sup"])
def test_a_mixture_is_the_stated_share_of_two_memorized_images(images, method):
    whole = make(method, images, count=len(images), mix=1)
    mixed = make(method, images, count=len(images), mix=0.7)
    first = whole.astype(float)
    for place, one in enumerate(mixed):
        expected = 0.7 * first[place] + 0.3 * first
        differences = np.abs(one - expected).max(axis=(1, 2, 3))
        differences[place] = np.inf
        assert differences.min() <= 0.5 + 1e-9, "no second image gives this mixture"


def test_one_image_is_mixed_with_another_too(images):
    made = make("sup", images, count=1, mix=0.5)[0]
    assert sources(images, made[None])[1] > 5


@pytest.mark.parametrize("transformation", TRANSFORMATIONS)
def test_aug_makes_each_transformation(images, transformation):
    made = make("aug", images, count=6, transformation=transformation)
    assert (made != images[members(images, 6)]).any(axis=(1, 2, 3)).all()


def test_a_flip_is_the_mirrored_training_image(images):
    made = make("aug", images, count=12, transformation="flips")
    np.testing.assert_array_equal(made, images[members(images, 12)][:, :, ::-1])


def test_noise_is_of_the_stated_width(images):
    grey = np.full((2, 64, 64, 3), 128, np.uint8)
    grey[1] += 1
    made = make("aug", grey, count=2, transformation="noise")
    assert 3.8 < (made.astype(float) - 128.5).std() < 4.3


def test_a_crop_is_a_part_of_the_image(images):
    ramp = np.arange(16, dtype=np.uint8)[None, :, None, None] * np.ones((2, 1, 16, 3), np.uint8)
    ramp[1] += 100
    made = make("aug", ramp, count=2, transformation="crops").astype(float)
    for one in made:
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
        make(method, images, count=2)


@pytest.mark.parametrize(
    ("method", "options", "message"),
    [
        ("gan", {}, "expected one of mgan, mgan-store, sup, ae, aug, got 'gan'"),
        ("ae", {"count": 0}, "at least 1 image and at most 1,000,000, got 0"),
        ("ae", {"seed": -1}, "from 0 to"),
        ("ae", {"mix": 0.9}, "ae mixes no images"),
        ("sup", {"mix": 0.4}, r"a share in \[0.5, 1\], got 0.4"),
        ("sup", {"mix": float("nan")}, "got nan"),
        ("sup", {"transformation": "crops"}, "only aug does"),
        ("aug", {"transformation": "turns"}, "got 'turns'"),
    ],
)
def test_calls_that_make_no_sense_are_refused(images, method, options, message):
    with pytest.raises(UsageError, match=message):
        make(method, images, **{"count": 2} | options)


def test_sides_that_are_not_square_nor_multiples_of_four_work(images):
    odd = images[:, :13, :10]
    for method in ("mgan", "ae", "aug"):
        assert make(method, odd, count=3).shape == (3, 13, 10, 3)
