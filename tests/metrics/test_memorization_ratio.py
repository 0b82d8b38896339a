"""Memorization ratio: repeated training images, and arguments that are refused."""

import numpy as np
import pytest

from genmem.errors import InputError, UsageError
from genmem.metrics.memorization_ratio import memorization_ratio

from .slow_distances import slow_memorization_ratio


def test_a_copy_of_a_training_image_that_is_there_twice_is_still_memorized():
    rng = np.random.default_rng(4)
    train = rng.normal(size=(20, 6))
    train[11] = train[3]
    generated = np.vstack([train[3], rng.normal(size=(3, 6))])
    result = memorization_ratio(generated=generated, train=train)
    assert result.parts["memorized"] == 1
    assert result.parts["duplicate_train_rows"] == 1
    assert "exact duplicates" in result.notes[0]
    expected = slow_memorization_ratio(generated, np.delete(train, 11, axis=0))
    assert result.value == expected


def test_a_training_set_of_one_repeated_image_is_refused_by_the_ratio():
    with pytest.raises(InputError, match="two different training images"):
        memorization_ratio(generated=np.ones((2, 3)), train=np.ones((5, 3)))


@pytest.mark.parametrize("threshold", [0.0, 1.5, float("nan")])
def test_a_ratio_threshold_out_of_range_is_refused(threshold, image_sets):
    with pytest.raises(UsageError, match="threshold"):
        memorization_ratio(**image_sets, threshold=threshold)
