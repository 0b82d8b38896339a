"""P-values and false-discovery rates: exact where they can be, and never too small."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genmem.calibration.null_distribution import combined_p_values, null_distribution
from genmem.calibration.q_values import (
    counted_q_values,
    min_copies_flagged,
    probability_of_closer,
    q_values,
)
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


def test_few_honest_images_have_no_tail_and_p_values_are_counted():
    values = np.linspace(0.1, 1, 499)
    null = null_distribution(values)
    assert (null.tail, null.exponent) == (0, 0.0)
    asked = np.array([0.0, 0.05, 0.1, 0.11, 0.7])
    assert null.p_values(asked) == pytest.approx([slow_p_value(one, values) for one in asked])
    assert null_distribution(np.append(values, 1)).tail > 0


def test_scores_order_closer_images_also_among_few_honest_ones():
    null = null_distribution(power_law(np.random.default_rng(1), 100, 8))
    scores = null.scores(null.values[0] * np.array([0, 0.1, 0.5, 0.9]))
    assert scores[0] == 0
    assert (np.diff(scores) > 0).all()
    assert null_distribution(null.values[:20]).scores(null.values[:1]) == pytest.approx(2 / 21)


@pytest.mark.parametrize("size", [100, 600])
def test_scores_order_images_below_honest_ones_that_all_tie(size):
    null = null_distribution(np.ones(size))
    scores = null.scores(np.array([0.1, 0.5, 1.0]))
    assert scores[0] < scores[1] < 11 / (size + 1) < scores[2] == 1
    assert null.p_values(np.array([0.1])) == pytest.approx(1 / (size + 1))
    # An honest image that shows some evidence where the others show none has such a score too.
    values = np.append(np.ones(size - 1), 0.5)
    own = null_distribution(values).leave_one_out_scores(values)
    assert own[-1] == pytest.approx(11 / (size + 1) * 0.5**8)
    assert own[:-1] == pytest.approx(size / (size + 1))


def test_blatant_copies_get_p_values_below_one_in_the_number_of_honest_images():
    null = null_distribution(power_law(np.random.default_rng(1), 2_000, 8))
    assert null.p_values(np.array([0.02]))[0] < 1e-6


def test_the_exponent_lies_below_the_true_one_nineteen_times_in_twenty():
    rng = np.random.default_rng(2)
    found = [null_distribution(power_law(rng, 2_000, 6)).exponent for _ in range(400)]
    assert np.mean(np.array(found) < 6) == pytest.approx(0.95, abs=0.035)


@pytest.mark.parametrize("exponent", [1, 6, 20])
@pytest.mark.parametrize("size", [150, 500, 5_000])
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


@given(st.integers(100, 900), st.integers(0, 2**32 - 1), st.floats(0.5, 12))
@settings(deadline=None, max_examples=60)
def test_a_closer_image_never_has_a_larger_p_value(size, seed, exponent):
    null = null_distribution(power_law(np.random.default_rng(seed), size, exponent))
    p = null.p_values(np.linspace(0, 1.2, 500))
    assert (np.diff(p) >= -1e-12).all()
    assert (p >= 0).all()
    assert (p <= 1).all()


def test_an_honest_image_is_compared_with_the_others():
    values = np.sort(np.random.default_rng(4).random(300))
    own = null_distribution(values).leave_one_out_p_values(values)
    # Rank 1 of 300 among itself and 299 others, and so on, above the tail.
    assert own[20:] == pytest.approx((np.arange(300) + 1)[20:] / 301)


@pytest.mark.parametrize("values", [[], [-1.0], [np.nan], [[0.1]]])
def test_values_that_are_not_distances_are_refused(values):
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
        own = np.stack(
            [null.leave_one_out_p_values(one) for null, one in zip(nulls, honest, strict=True)]
        )
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
    p, own = null.p_values(values), null.leave_one_out_p_values(null.values)
    combined, _ = combined_p_values(np.stack([p, p]), np.stack([own, own]))
    assert combined == pytest.approx(p, rel=0.5, abs=5e-3)


def test_a_single_test_is_not_changed():
    p, own = np.array([[0.01, 0.9]]), np.random.default_rng(0).random((1, 500))
    combined, honest = combined_p_values(p, own)
    assert (combined == p[0]).all()
    assert (honest == own[0]).all()


def test_a_copy_in_one_of_several_tests_has_the_least_p_value_among_few_honest_images():
    rng = np.random.default_rng(5)
    nulls = [null_distribution(power_law(rng, 100, 8)) for _ in range(4)]
    own = np.stack([null.leave_one_out_scores(null.values) for null in nulls])
    asked = np.array([[0.01 * nulls[0].values[0]], *([null.values[50]] for null in nulls[1:])])
    scores = np.stack([null.scores(one) for null, one in zip(nulls, asked, strict=True)])
    assert combined_p_values(scores, own)[0] == pytest.approx(1 / 101)


def test_exact_copies_tie_with_honest_ones_in_several_tests():
    rng = np.random.default_rng(6)
    values = [np.append(power_law(rng, 98, 8), [0, 0]) for _ in range(3)]
    nulls = [null_distribution(one) for one in values]
    own = np.stack(
        [null.leave_one_out_scores(one) for null, one in zip(nulls, values, strict=True)]
    )
    scores = np.stack([null.scores(np.array([0.0])) for null in nulls])
    assert combined_p_values(scores, own)[0] == pytest.approx(3 / 101)


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


def closer_images(rng, size, rate, *, exact):
    """Honest statistics of which a share `rate` belongs to near-duplicates."""
    found = power_law(rng, size, 20)
    near = rng.random(size) < rate
    found[near] = 0 if exact else 0.3 * power_law(rng, int(near.sum()), 2)
    return found


@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize("expected", [0, 0.3, 1])
@pytest.mark.parametrize(("honest", "images"), [(100, 1_000), (500, 500), (500, 5_000)])
def test_rare_near_duplicates_raise_flags_no_more_often_than_the_rate_says(
    honest, images, expected, exact
):
    """`expected` of them among the honest images: often none, which no fit can then know of."""
    rng = np.random.default_rng(7)
    flagged, by_law, draws = 0, 0, 150
    for _ in range(draws):
        values = closer_images(rng, honest, expected / honest, exact=exact)
        null = null_distribution(values)
        p = null.p_values(closer_images(rng, images, expected / honest, exact=exact))
        flagged += (q_values(p, null.leave_one_out_p_values(values)) <= 0.05).any()
        by_law += (q_values(p) <= 0.05).any()
    assert flagged / draws <= 0.05 + 0.035, flagged
    if honest == 500 and images == 5_000 and expected == 0.3:
        assert by_law / draws > 0.3  # what the exact test prevents


def test_six_copies_among_as_many_images_as_honest_ones_are_flagged_and_three_are_not():
    rng = np.random.default_rng(8)
    values = power_law(rng, 2_000, 20)
    null = null_distribution(values)
    own = null.leave_one_out_p_values(values)
    for copies, found in ((3, False), (6, True)):
        asked = np.concatenate([np.full(copies, 0.1), power_law(rng, 2_000 - copies, 20) + 0.05])
        q = q_values(null.p_values(asked), own)
        assert (q[:copies] <= 0.05).all() == found
        assert (counted_q_values(null.p_values(asked), own)[:copies] > 0.05).all()


def test_q_values_never_fall_with_the_p_value():
    rng = np.random.default_rng(9)
    values = power_law(rng, 600, 5)
    null = null_distribution(values)
    p = np.sort(null.p_values(rng.random(300)))
    assert (np.diff(q_values(p, null.leave_one_out_p_values(values))) >= -1e-12).all()


@pytest.mark.parametrize(
    ("closer", "images", "honest"), [(0, 5, 3), (1, 5, 3), (2, 6, 4), (3, 3, 7)]
)
def test_the_chance_that_images_are_closer_than_honest_ones_is_that_of_drawing_them_first(
    closer, images, honest
):
    expected = math.comb(images + honest - closer, honest) / math.comb(images + honest, honest)
    assert probability_of_closer(closer, images=images, honest=honest) == pytest.approx(expected)


@pytest.mark.parametrize("images", [1, 3, 40, 400])
@pytest.mark.parametrize("values", [[0.0] * 3 + [0.5] * 97, [0.5] * 100, [0.5] * 10, [0.5] * 800])
def test_the_fewest_copies_that_are_flagged_are_those_that_q_values_flag(images, values):
    values = np.array(values) * np.linspace(0.9, 1, len(values))
    null = null_distribution(values)
    own, least = null.leave_one_out_p_values(null.values), null.p_values(np.zeros(1))[0]
    flags = []
    for copies in range(1, images + 1):
        p = np.ones(images)
        p[:copies] = least
        flags.append(q_values(p, own)[0] <= 0.05)
    slow = flags.index(True) + 1 if any(flags) else None
    assert min_copies_flagged(float(least), own, images=images, level=0.05) == slow
