import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genmem.calibration import choose_threshold, evaluate_threshold
from genmem.errors import InputError, UsageError

distances = st.lists(st.integers(0, 20).map(lambda n: n / 20), min_size=1, max_size=12).map(
    np.asarray
)


def brute_force(honest, cheating, cost):
    """The least cost over every τ that could matter."""
    candidates = [*honest, *cheating, 2.0]
    return min(cost((honest < tau).sum(), (cheating >= tau).sum()) for tau in candidates)


@given(distances, distances)
def test_minimum_error_is_that_of_trying_every_threshold(honest, cheating):
    found = choose_threshold(honest=honest, cheating=cheating, criterion="error")
    assert found.errors == brute_force(honest, cheating, lambda false, missed: false + missed)
    again = evaluate_threshold(found.tau, honest=honest, cheating=cheating)
    assert (again.caught, again.penalized) == (found.caught, found.penalized)


@given(distances, distances)
def test_minimum_balanced_error_is_that_of_trying_every_threshold(honest, cheating):
    found = choose_threshold(honest=honest, cheating=cheating, criterion="balanced_error")
    least = brute_force(
        honest,
        cheating,
        lambda false, missed: (false / len(honest) + missed / len(cheating)) / 2,
    )
    assert found.balanced_error == pytest.approx(least, abs=1e-12)


@given(distances, distances, st.floats(0, 0.99))
def test_the_false_penalty_threshold_is_the_largest_that_keeps_the_rate(honest, cheating, rate):
    found = choose_threshold(honest=honest, cheating=cheating, false_penalty_rate=rate)
    assert found.penalized <= rate * len(honest) + 1e-9
    higher = evaluate_threshold(np.nextafter(found.tau, 2), honest=honest, cheating=cheating)
    assert higher.penalized > rate * len(honest) - 1e-9


@given(distances, distances)
def test_by_default_no_honest_entry_is_penalized(honest, cheating):
    assert choose_threshold(honest=honest, cheating=cheating).penalized == 0


def test_an_entry_at_the_threshold_is_not_penalized():
    found = evaluate_threshold(0.2, honest=np.array([0.2, 0.3]), cheating=np.array([0.1, 0.2]))
    assert (found.caught, found.penalized) == (1, 0)


def test_honest_and_cheating_cannot_be_swapped():
    low, high = np.array([0.1, 0.12]), np.array([0.3, 0.32])
    assert choose_threshold(honest=high, cheating=low).caught == 2
    assert choose_threshold(honest=low, cheating=high).caught == 0


def test_separate_groups_are_divided_in_the_middle():
    found = choose_threshold(
        honest=np.array([0.3, 0.5]), cheating=np.array([0.1, 0.2]), criterion="error"
    )
    assert found.tau == pytest.approx(0.25)
    assert found.errors == 0


def test_neighboring_floats_are_divided_too():
    low = 0.1
    high = np.nextafter(low, 1)
    found = choose_threshold(honest=np.array([high]), cheating=np.array([low]), criterion="error")
    assert found.errors == 0


def test_balanced_error_does_not_let_a_large_group_outvote_a_small_one():
    honest, cheating = np.linspace(0.1, 0.2, 100), np.array([0.15, 0.15])
    by_error = choose_threshold(honest=honest, cheating=cheating, criterion="error")
    balanced = choose_threshold(honest=honest, cheating=cheating, criterion="balanced_error")
    assert by_error.caught == 0
    assert balanced.caught == 2


def test_a_further_honest_entry_falls_below_as_often_as_expected():
    rng = np.random.default_rng(0)
    below, expected = [], []
    for _ in range(2_000):
        honest = rng.random(10)
        found = choose_threshold(honest=honest[:9], cheating=np.array([0.5]))
        below.append(honest[9] < found.tau)
        expected.append(found.expected_false_penalty_rate)
    assert set(expected) == {0.1}
    assert np.mean(below) == pytest.approx(0.1, abs=0.025)


def test_a_rate_of_29_percent_of_100_is_29_entries():
    honest = np.arange(100) / 100
    found = choose_threshold(honest=honest, cheating=honest, false_penalty_rate=0.29)
    assert found.penalized == 29


@pytest.mark.parametrize("rate", [-0.1, 1.0, float("nan")])
def test_a_rate_out_of_range_is_refused(rate):
    one = np.array([0.5])
    with pytest.raises(UsageError, match=r"\[0, 1\)"):
        choose_threshold(honest=one, cheating=one, false_penalty_rate=rate)


@pytest.mark.parametrize("bad", [[], [-0.1], [float("nan")], [[0.1]]])
def test_values_that_are_not_distances_are_refused(bad):
    with pytest.raises(InputError, match="honest: expected"):
        choose_threshold(honest=np.array(bad), cheating=np.array([0.1]))


def test_an_unknown_criterion_is_refused():
    one = np.array([0.5])
    with pytest.raises(UsageError, match="false_penalty, error or balanced_error"):
        choose_threshold(honest=one, cheating=one, criterion="best")
