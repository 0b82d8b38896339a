"""FD without the bias in the number of generated images."""

from itertools import combinations

import numpy as np
import pytest

import genmem
from genmem.metrics.fd_unbiased import WEIGHTS, fd_unbiased, fd_unbiased_from
from studies.fd_unbiased import coverage, populations


def test_the_weights_take_the_parabola_in_one_over_n_to_its_value_at_infinity():
    sizes = np.array([1.0, 3 / 4, 1 / 2])
    for power, expected in ((0, 1), (1, 0), (2, 0)):
        assert np.array(WEIGHTS) @ sizes**-power == pytest.approx(expected)


def test_the_value_is_that_of_the_subsets_and_not_of_the_swapped_sets():
    rng = np.random.default_rng(0)
    generated, train = rng.normal(0.3, 1.2, size=(203, 7)), rng.normal(size=(400, 7))
    result = fd_unbiased(generated=generated, train=train, seed=5)
    quarters = np.array_split(np.random.default_rng(5).permutation(203), 4)
    means = [
        np.mean(
            [
                float(genmem.fd(generated=generated[np.concatenate(chosen)], train=train))
                for chosen in combinations(quarters, size)
            ]
        )
        for size in (4, 3, 2)
    ]
    assert result.value == pytest.approx(np.array(WEIGHTS) @ means, rel=1e-9)
    assert [point["fd"] for point in result.parts["points"]] == pytest.approx(means)
    assert result.interval.low <= result.value <= result.interval.high
    swapped = fd_unbiased(generated=train, train=generated, seed=5)
    assert swapped.value != pytest.approx(result.value, rel=1e-3)


def test_half_as_many_rows_as_dimensions_give_no_interval_but_a_note():
    rng = np.random.default_rng(1)
    generated, train = rng.normal(size=(60, 40)), rng.normal(size=(200, 40))
    result = fd_unbiased(generated=generated, train=train)
    assert result.interval is None
    assert "no confidence interval" in result.notes[0]
    few = fd_unbiased_from(generated=generated[:35], train=train, influence=None)
    assert few.interval is None


@pytest.mark.parametrize("population", list(populations(16)), ids=lambda one: one.name)
def test_the_interval_holds_the_population_value(population):
    """The study in small; docs/metrics.md has the whole."""
    result = coverage(population, rows=400, draws=40)
    assert result.coverage >= 0.85
    assert abs(result.error) < max(3 * result.deviation / 40**0.5, 0.05 * result.fd_error)
    if population.name in ("the same", "near"):
        assert result.fd_coverage <= 0.2
