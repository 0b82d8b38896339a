"""Memorization distance: directions, rows without one, and batches."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genmem.errors import InputError, UsageError
from genmem.metrics.memorization_distance import MemorizationDistance, memorization_distance


def test_repeating_one_training_image_for_ever_is_distance_zero():
    rng = np.random.default_rng(2)
    train = rng.normal(size=(30, 8))
    generated = np.repeat(train[4:5], 20, axis=0)
    assert memorization_distance(generated=generated, train=train).value == 0
    assert memorization_distance(generated=train, train=generated).value > 0.1


def test_absolute_and_signed_distances_differ_for_a_negated_copy():
    train = np.array([[1.0, 2.0], [2.0, -1.0]])
    assert memorization_distance(generated=-train[:1], train=train).value == 0
    signed = memorization_distance(generated=-train[:1], train=train, absolute=False)
    assert signed.value == pytest.approx(1)


def test_rows_of_norm_zero_are_dropped_and_counted_but_rows_of_sum_zero_are_kept():
    train = np.array([[1.0, 0.0], [0.0, 1.0]])
    generated = np.array([[0.0, 0.0], [1.0, -1.0], [1.0, 0.0]])
    result = memorization_distance(generated=generated, train=train)
    assert result.n["generated"] == 2
    assert result.parts["dropped_zero_rows"] == 1
    assert result.value == pytest.approx((1 - math.sqrt(0.5)) / 2)
    with pytest.raises(InputError, match="zero vectors"):
        memorization_distance(generated=generated[:1], train=train)


@settings(max_examples=25, deadline=None)
@given(cuts=st.lists(st.integers(1, 39), max_size=3), scale=st.floats(1e-2, 1e2))
def test_batches_and_merged_workers_equal_one_pass_and_scale_does_not_matter(cuts, scale):
    rng = np.random.default_rng(3)
    train, generated = rng.normal(size=(60, 7)), rng.normal(size=(40, 7))
    whole = memorization_distance(generated=generated, train=train)
    edges = [0, *sorted(set(cuts)), 40]
    workers = [MemorizationDistance(train=train * scale) for _ in range(2)]
    for turn, (low, high) in enumerate(itertools.pairwise(edges)):
        workers[turn % 2].update(generated[low:high] * scale)
    workers[0].merge(workers[1])
    assert workers[0].compute().value == pytest.approx(whole.value, rel=1e-9)


def test_compute_before_any_update_says_so():
    with pytest.raises(InputError, match="before compute"):
        MemorizationDistance(train=np.ones((3, 2))).compute()


def test_the_first_row_that_is_not_finite_is_named(image_sets):
    image_sets["generated"][23, 4] = np.inf
    with pytest.raises(InputError, match="generated: row 23"):
        memorization_distance(**image_sets)


def test_distances_to_different_training_sets_cannot_be_merged():
    first = MemorizationDistance(train=np.ones((3, 2)))
    with pytest.raises(UsageError, match="same training features"):
        first.merge(MemorizationDistance(train=np.ones((4, 2))))
