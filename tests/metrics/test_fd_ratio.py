"""FD over that of held-out images."""

import numpy as np
import pytest

import genmem
from genmem.metrics.fd_ratio import frechet_ratio, mean_fd_ratio


def draws(count, seed, *, shift=0.0, spread=1.0, dimension=8):
    mixing = np.random.default_rng(9).normal(size=(dimension, dimension))
    return (np.random.default_rng(seed).normal(size=(count, dimension)) * spread + shift) @ mixing


def test_the_ratio_is_that_of_the_two_distances_and_not_of_their_swap():
    generated, train, test = draws(400, 1, shift=0.3), draws(900, 2), draws(400, 3)
    result = genmem.fd_ratio(generated=generated, train=train, test=test)
    of_generated = float(genmem.fd(generated=generated, train=train))
    of_test = float(genmem.fd(generated=test, train=train))
    assert result.value == pytest.approx(of_generated / of_test, rel=1e-9)
    assert result.parts == pytest.approx({"images": 400, "fd": of_generated, "fd_test": of_test})
    swapped = genmem.fd_ratio(generated=test, train=train, test=generated)
    assert swapped.value == pytest.approx(1 / result.value)


def test_held_out_halves_have_the_ratio_one():
    train, halves = draws(4_000, 4), draws(6_000, 5, dimension=8)
    values = [
        genmem.fd_ratio(generated=halves[order[:3_000]], train=train, test=halves[order[3_000:]])
        for order in (np.random.default_rng(seed).permutation(6_000) for seed in range(20))
    ]
    assert np.exp(np.mean(np.log([value.value for value in values]))) == pytest.approx(1, abs=0.1)
    assert np.mean([one.interval.low <= 1 <= one.interval.high for one in values]) >= 0.9


def test_unequal_sets_are_compared_at_equal_counts():
    generated, train, test = draws(2_000, 1), draws(900, 2), draws(200, 3)
    result = genmem.fd_ratio(generated=generated, train=train, test=test)
    rows = np.sort(np.random.default_rng([0, 2]).choice(2_000, 200, replace=False))
    expected = genmem.fd(generated=generated[rows], train=train)
    assert result.parts["fd"] == pytest.approx(expected.value, rel=1e-9)
    assert "of the 2,000 generated ones a random subset" in result.notes[0]


def test_the_interval_is_as_wide_as_the_ratio_varies():
    train = draws(5_000, 6)
    results = [
        genmem.fd_ratio(
            generated=draws(500, 100 + seed, shift=0.2),
            train=train,
            test=draws(500, 600 + seed, spread=1.15),
        )
        for seed in range(60)
    ]
    widths = [(one.interval.high - one.value) / 1.96 for one in results]
    ratio = np.sqrt(np.mean(np.square(widths))) / np.std([one.value for one in results], ddof=1)
    assert 0.75 < ratio < 1.4


def test_the_mean_over_spaces_takes_what_they_have_in_common_into_account():
    generated, train, test = draws(300, 1, shift=0.3), draws(900, 2), draws(300, 3)
    one = frechet_ratio(generated=generated, train=train, test=test)
    alone, twice = mean_fd_ratio([one]), mean_fd_ratio([one, one])
    assert twice.value == alone.value
    assert twice.interval == alone.interval  # the second space says nothing new


def test_no_more_rows_than_dimensions_and_no_distance_at_all_are_said():
    train = draws(50, 1, dimension=12)
    few = genmem.fd_ratio(generated=train[:10] + 1, train=train, test=train[20:30])
    assert few.interval is None
    assert "more generated rows than dimensions" in few.notes[-1]
    same = genmem.fd_ratio(generated=train + 1, train=train, test=train)
    assert np.isnan(same.value)
    assert "nothing to compare with" in same.notes[-1]
