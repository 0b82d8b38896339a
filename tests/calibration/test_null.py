"""P-values and false-discovery rates: exact where they can be, and never too small."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genmem.calibration.null import combined_p_values, null_distribution, q_values
from genmem.errors import InputError


def power_law(rng, size, exponent):
    """Distances with P(d < x) = x^exponent on [0, 1]."""
    return rng.random(size) ** (1 / exponent)


def slow_p_value(value, null):
    return (1 + sum(one <= value for one in null)) / (len(null) + 1)


def test_above_the_tail_the_p_value_is_the_rank_among_honest_images():
    rng = np.random.default_rng(0)
    values = rng.random(400)
    null = null_distribution(values)
    asked = np.quantile(values, [0.05, 0.2, 0.5, 1.0])
    assert null.p_values(asked) == pytest.approx([slow_p_value(one, values) for one in asked])


def test_a_tied_value_counts_as_at_least_as_close():
    null = null_distribution(np.repeat([0.5, 0.6], 30))
    assert null.p_values(np.array([0.5]))[0] == pytest.approx(31 / 61)


def test_few_honest_images_have_no_tail():
    null = null_distribution(np.linspace(0.1, 1, 99))
    assert (null.tail, null.exponent) == (0, 0.0)
    assert null.p_values(np.array([0.0]))[0] == pytest.approx(1 / 100)


def test_blatant_copies_get_p_values_below_one_in_the_number_of_honest_images():
    null = null_distribution(power_law(np.random.default_rng(1), 2_000, 8))
    assert null.p_values(np.array([0.02]))[0] < 1e-6


def test_the_exponent_lies_below_the_true_one_nineteen_times_in_twenty():
    rng = np.random.default_rng(2)
    found = [null_distribution(power_law(rng, 2_000, 6)).exponent for _ in range(400)]
    assert np.mean(np.array(found) < 6) == pytest.approx(0.95, abs=0.035)


@pytest.mark.parametrize("exponent", [1, 6, 20])
@pytest.mark.parametrize("size", [150, 5_000])
def test_honest_images_are_accused_no_more_often_than_the_p_value_says(exponent, size):
    rng = np.random.default_rng(3)
    levels = np.array([1e-4, 1e-3, 0.01, 0.05, 0.3])
    rates = np.zeros(len(levels))
    draws = 300
    for _ in range(draws):
        null = null_distribution(power_law(rng, size, exponent))
        # Stratified honest images, so that rare events are seen at their true rate.
        honest = ((np.arange(20_000) + rng.random(20_000)) / 20_000) ** (1 / exponent)
        rates += (null.p_values(honest)[:, None] <= levels).mean(axis=0) / draws
    assert (rates <= levels * 1.35 + 1e-5).all(), rates


def test_honest_duplicates_at_no_distance_stop_the_tail():
    values = np.concatenate([[0.0, 0.0], np.linspace(0.2, 1, 998)])
    null = null_distribution(values)
    assert null.exponent == 0
    assert null.p_values(np.array([0.0]))[0] >= 3 / 1_001


def test_when_ten_honest_images_are_exact_copies_no_exact_copy_is_unusual():
    values = np.concatenate([np.zeros(10), np.linspace(0.2, 1, 990)])
    p = null_distribution(values).p_values(np.array([0.0]))
    assert p[0] == pytest.approx(11 / 1_001)


@given(st.integers(100, 400), st.integers(0, 2**32 - 1), st.floats(0.5, 12))
@settings(deadline=None, max_examples=60)
def test_a_closer_image_never_has_a_larger_p_value(size, seed, exponent):
    null = null_distribution(power_law(np.random.default_rng(seed), size, exponent))
    p = null.p_values(np.linspace(0, 1.2, 500))
    assert (np.diff(p) >= -1e-12).all()
    assert (p >= 0).all()
    assert (p <= 1).all()


def test_an_honest_image_is_judged_among_the_others():
    values = np.sort(np.random.default_rng(4).random(300))
    own = null_distribution(values).own_p_values(values)
    # Rank 1 of 300 among itself and 299 others, and so on, above the tail.
    assert own[20:] == pytest.approx((np.arange(300) + 1)[20:] / 301)


@pytest.mark.parametrize("values", [[], [-1.0], [np.nan], [[0.1]]])
def test_what_is_no_list_of_distances_is_refused(values):
    with pytest.raises(InputError, match="honest images"):
        null_distribution(np.array(values))


def two_tests(rng, size, *, dependence):
    """Uniform statistics of the same images in two tests."""
    one = rng.random(size)
    other = np.where(rng.random(size) < dependence, one, rng.random(size))
    return np.stack([one, other])


@pytest.mark.parametrize("dependence", [0, 0.5, 1])
def test_the_combined_p_value_holds_its_error_rate_however_the_tests_depend(dependence):
    rng = np.random.default_rng(0)
    levels = np.array([0.003, 0.01, 0.05, 0.3])
    rates = np.zeros(len(levels))
    for _ in range(200):
        honest = two_tests(rng, 1_000, dependence=dependence)
        nulls = [null_distribution(one) for one in honest]
        own = np.stack([null.own_p_values(one) for null, one in zip(nulls, honest, strict=True)])
        fresh = two_tests(rng, 2_000, dependence=dependence)
        p = np.stack([null.p_values(one) for null, one in zip(nulls, fresh, strict=True)])
        combined, _ = combined_p_values(p, own)
        rates += (combined[:, None] <= levels).mean(axis=0) / 200
    assert (rates <= levels * 1.15 + 1e-4).all(), rates
    assert (rates[2:] >= levels[2:] * 0.6).all(), rates


def test_a_test_that_repeats_another_costs_nothing():
    rng = np.random.default_rng(1)
    null = null_distribution(rng.random(500))
    values = rng.random(50)
    p, own = null.p_values(values), null.own_p_values(null.values)
    combined, _ = combined_p_values(np.stack([p, p]), np.stack([own, own]))
    assert combined == pytest.approx(p, rel=0.5, abs=5e-3)


def test_one_test_is_left_as_it_is():
    p, own = np.array([[0.01, 0.9]]), np.array([[0.5, 0.2, 0.7]])
    combined, honest = combined_p_values(p, own)
    assert (combined == p[0]).all()
    assert (honest == own[0]).all()


def slow_q_values(p):
    order = sorted(range(len(p)), key=lambda i: p[i])
    q = [0.0] * len(p)
    smallest = 1.0
    for rank in range(len(p), 0, -1):
        i = order[rank - 1]
        smallest = min(smallest, p[i] * len(p) / rank)
        q[i] = smallest
    return q


@given(st.lists(st.floats(0, 1), min_size=1, max_size=30))
def test_q_values_are_benjamini_and_hochbergs(p):
    assert q_values(np.array(p)) == pytest.approx(slow_q_values(p))
