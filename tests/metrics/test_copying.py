"""The nearest-neighbour metrics against slow versions written from their formulas."""

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from genmem.errors import InputError, UsageError
from genmem.metrics.authpct import authpct
from genmem.metrics.memorization_distance import MemorizationDistance, memorization_distance
from genmem.metrics.memorization_ratio import memorization_ratio
from genmem.metrics.nearest_quantiles import LEVELS, nn_quantiles


@pytest.fixture
def sets():
    rng = np.random.default_rng(0)
    train = rng.normal(size=(70, 9)).astype(np.float32)
    generated = rng.normal(size=(40, 9)).astype(np.float32)
    generated[:6] = train[10:16] + rng.normal(size=(6, 9)).astype(np.float32) * 0.05
    return {"generated": generated, "train": train}


def euclidean(a, b):
    return math.sqrt(sum((float(x) - float(y)) ** 2 for x, y in zip(a, b, strict=True)))


def cosine(a, b):
    dot = sum(float(x) * float(y) for x, y in zip(a, b, strict=True))
    return dot / (euclidean(a, 0 * a) * euclidean(b, 0 * b))


def slow_memorization_distance(generated, train):
    return np.mean([min(1 - abs(cosine(g, x)) for x in train) for g in generated])


def slow_memorization_ratio(generated, train):
    memorized = 0
    for g in generated:
        d1, d2 = sorted(euclidean(g, x) for x in train)[:2]
        memorized += d1 / d2 < 1 / 3
    return memorized / len(generated)


def slow_authpct(generated, train):
    authentic = 0
    for g in generated:
        distances = [euclidean(g, x) for x in train]
        i = int(np.argmin(distances))
        gap = min(euclidean(train[i], x) for j, x in enumerate(train) if j != i)
        authentic += distances[i] > gap
    return 100 * authentic / len(generated)


@pytest.mark.parametrize(
    ("metric", "slow"),
    [
        (memorization_distance, slow_memorization_distance),
        (memorization_ratio, slow_memorization_ratio),
        (authpct, slow_authpct),
    ],
)
def test_the_fast_metric_equals_the_formula_and_not_its_swap(metric, slow, sets):
    expected = slow(**sets)
    assert float(metric(**sets)) == pytest.approx(expected, rel=1e-9)
    swapped = metric(generated=sets["train"], train=sets["generated"])
    assert float(swapped) != pytest.approx(expected, rel=1e-3)


def test_nn_quantiles_equal_numpy_quantiles_of_the_formula_and_not_of_the_swap(sets):
    test = np.random.default_rng(1).normal(size=(50, 9))
    result = nn_quantiles(**sets, test=test)
    distances = [min(1 - abs(cosine(g, x)) for x in sets["train"]) for g in sets["generated"]]
    held_out = [min(1 - abs(cosine(g, x)) for x in sets["train"]) for g in test]
    assert result.parts["generated"] == pytest.approx(np.quantile(distances, LEVELS), abs=1e-12)
    assert result.parts["test"] == pytest.approx(np.quantile(held_out, LEVELS), abs=1e-12)
    assert result.value == pytest.approx(np.median(distances))
    assert result.parts["below_test"][6] == np.mean(np.array(distances) < np.median(held_out))
    swapped = nn_quantiles(generated=sets["train"], train=sets["generated"])
    assert swapped.value != pytest.approx(result.value)


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
def test_a_ratio_threshold_out_of_range_is_refused(threshold, sets):
    with pytest.raises(UsageError, match="threshold"):
        memorization_ratio(**sets, threshold=threshold)


def test_exact_copies_are_never_authentic_and_far_images_always_are():
    rng = np.random.default_rng(5)
    train = rng.normal(size=(30, 5))
    assert authpct(generated=train[:7], train=train).value == 0
    assert authpct(generated=train[:7] + 100, train=train).value == 100


@pytest.mark.parametrize("metric", [memorization_distance, memorization_ratio, authpct])
def test_row_order_changes_nothing(metric, sets):
    rng = np.random.default_rng(6)
    shuffled = {role: rows[rng.permutation(len(rows))] for role, rows in sets.items()}
    assert float(metric(**shuffled)) == pytest.approx(float(metric(**sets)), rel=1e-12)


@pytest.mark.parametrize("metric", [memorization_distance, memorization_ratio, authpct])
@pytest.mark.parametrize(
    ("role", "rows", "message"),
    [
        ("train", np.full((4, 9), np.nan), "train: row 0 holds NaN"),
        ("generated", np.ones((4, 8)), "differ in feature dimension"),
        ("generated", np.ones((0, 9)), r"shape \(0, 9\)"),
        ("train", np.ones((4, 9), dtype=np.int64), "floating-point"),
        ("train", [[1.0] * 9], "got list"),
    ],
)
def test_unusable_features_are_refused_by_role(metric, role, rows, message, sets):
    with pytest.raises(InputError, match=message):
        metric(**(sets | {role: rows}))


def test_the_first_row_that_is_not_finite_is_named(sets):
    sets["generated"][23, 4] = np.inf
    with pytest.raises(InputError, match="generated: row 23"):
        memorization_distance(**sets)


def test_an_image_exactly_at_the_gap_is_not_authentic():
    train = np.array([[0.0, 0.0], [1.0, 0.0], [10.0, 0.0]])
    generated = np.array([[0.0, 1.0]])  # as far from train[0] as train[1] is
    assert authpct(generated=generated, train=train).value == 0


def test_distances_to_different_training_sets_cannot_be_merged():
    first = MemorizationDistance(train=np.ones((3, 2)))
    with pytest.raises(UsageError, match="same training features"):
        first.merge(MemorizationDistance(train=np.ones((4, 2))))


def test_half_precision_tensors_are_measured_too(sets):
    halves = {role: torch.from_numpy(array).bfloat16() for role, array in sets.items()}
    full = {role: array.float() for role, array in halves.items()}
    for metric in (memorization_distance, memorization_ratio, authpct):
        assert metric(**halves).value == pytest.approx(metric(**full).value, rel=1e-6)
