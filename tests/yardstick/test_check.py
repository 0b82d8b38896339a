import io

import numpy as np
import pytest
from PIL import Image

from genmem.images import ArraySource
from genmem.yardstick import check_yardstick


def rows(seed, count=250, d=16):
    return np.random.default_rng(seed).normal(size=(count, d)).astype(np.float32)


def bursts(rng, centers, images=5):
    return (centers[:, None] + 0.1 * rng.normal(size=(len(centers), images, 16))).reshape(-1, 16)


def test_an_honest_split_is_a_yardstick():
    holds = [check_yardstick(train=rows(2 * s, 500), test=rows(2 * s + 1)).holds for s in range(10)]
    assert sum(holds) >= 9


def test_held_out_images_of_another_kind_are_none():
    yardstick = check_yardstick(train=rows(0, 500), test=rows(1) + 0.6)
    assert not yardstick.holds
    assert yardstick.reasons[0].startswith("Held-out images are of another kind")
    assert yardstick.checks["two_sample"].differs
    assert yardstick.to_dict()["holds"] is False


def test_half_of_another_kind_is_enough():
    test = rows(1)
    test[:125] += 2.0
    assert not check_yardstick(train=rows(0, 500), test=test).holds


def test_a_correct_split_by_scene_is_called_series_and_no_other_kind():
    for seed in range(5):
        rng = np.random.default_rng(seed)
        centers = rng.normal(size=(150, 16))
        yardstick = check_yardstick(
            train=bursts(rng, centers[:100]), test=bursts(rng, centers[100:])
        )
        assert [reason.split(":")[0] for reason in yardstick.reasons] == [
            "Training images come in series"
        ]
        assert "form 50 groups" in yardstick.notes[0] or "form 49 groups" in yardstick.notes[0]


def test_few_images_say_nothing():
    yardstick = check_yardstick(train=rows(0, 10), test=rows(1, 10) + 5)
    assert yardstick.holds
    assert yardstick.checks == {}


def pictures(seed, quality=None):
    """Thirty pictures as arrays, some of them after a pass through JPEG."""
    rng = np.random.default_rng(seed)
    images = []
    for _ in range(30):
        small = Image.fromarray(rng.integers(0, 256, (6, 8, 3), dtype=np.uint8))
        image = small.resize((64, 48), Image.Resampling.BICUBIC)
        if quality:
            buffer = io.BytesIO()
            image.save(buffer, "JPEG", quality=quality)
            image = Image.open(buffer)
        images.append(np.asarray(image))
    return ArraySource(np.stack(images), name="array", where="array")


@pytest.mark.parametrize(
    ("test", "generated", "holds", "words"),
    [(20, None, True, ""), (None, 20, False, "lack"), (20, 20, True, "")],
)
def test_only_differences_of_the_held_out_images_speak_against_it(test, generated, holds, words):
    """Train is JPEG 20, stored as pixels."""
    yardstick = check_yardstick(
        train=rows(0, 30),
        test=rows(1, 30),
        sources={
            "train": pictures(0, 20),
            "test": pictures(1, test),
            "generated": pictures(2, generated),
        },
    )
    assert yardstick.holds == holds
    assert words in "".join(yardstick.reasons)
    assert ("generated images lack" in "".join(yardstick.notes)) == (generated is None)
