import numpy as np
import pytest
from scipy.spatial.distance import cdist

from genmem.yardstick.two_sample import two_sample_test


def energy(train, test):
    """D / (inside train + inside test), as the formula says."""
    within = [cdist(rows, rows).sum() / (len(rows) * (len(rows) - 1)) for rows in (train, test)]
    return 2 * cdist(train, test).mean() / sum(within) - 1


def sets(seed, shift=0.0, train=80, test=50, d=6):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(train, d)), shift + rng.normal(size=(test, d))


@pytest.mark.parametrize("shift", [0.0, 0.7])
def test_the_size_is_the_one_of_the_formula(shift):
    train, test = sets(0, shift)
    result = two_sample_test(train=train, test=test)
    assert result.size == pytest.approx(energy(train, test), abs=1e-5)


def test_sets_of_one_distribution_rarely_differ_and_p_values_are_even():
    results = [
        two_sample_test(train=train, test=test) for train, test in (sets(s) for s in range(40))
    ]
    assert sum(result.differs for result in results) <= 2
    p_values = np.array([result.p_value for result in results])
    assert 0.3 < p_values.mean() < 0.7
    assert (p_values <= 0.05).sum() <= 5


def test_a_shift_differs_and_the_test_is_the_same_from_both_sides():
    train, test = sets(1, shift=0.7)
    result = two_sample_test(train=train, test=test)
    assert result.differs
    assert result.p_value == pytest.approx(1 / 500)
    swapped = two_sample_test(train=test, test=train)
    assert swapped.size == pytest.approx(result.size)
    assert (swapped.train, swapped.test) == (result.test, result.train)


def test_a_significant_difference_that_is_tiny_does_not_count():
    rng = np.random.default_rng(2)
    train, test = rng.normal(size=(2_000, 4)), 0.12 + rng.normal(size=(2_000, 4))
    result = two_sample_test(train=train, test=test)
    assert result.p_value < 0.01
    assert not result.differs


def bursts(rng, scenes, images=6):
    return (rng.normal(size=(scenes, 1, 8)) + 0.1 * rng.normal(size=(scenes, images, 8))).reshape(
        -1, 8
    )


def test_whole_groups_are_permuted():
    """Twelve scenes against six: as rows they differ, as scenes they are of one kind."""
    differ = []
    for seed in range(10):
        rng = np.random.default_rng(seed)
        train, test = bursts(rng, 12), bursts(rng, 6)
        groups = np.repeat(np.arange(18), 6)
        by_group = two_sample_test(train=train, test=test, groups=groups.tolist())
        differ.append((two_sample_test(train=train, test=test).differs, by_group.differs))
        assert by_group.groups == 18
    assert sum(by_row for by_row, _ in differ) >= 8
    assert sum(by_group for _, by_group in differ) <= 1


def test_large_sets_are_sampled_and_the_seed_decides():
    rng = np.random.default_rng(3)
    train, test = rng.normal(size=(4_000, 3)), rng.normal(size=(100, 3))
    first, again, other = (two_sample_test(train=train, test=test, seed=s) for s in (0, 0, 1))
    assert first == again != other
    assert (first.train, first.test) == (1_500, 100)
