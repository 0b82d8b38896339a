import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from genmem.errors import UsageError
from genmem.training.emm.bisection import find_bracket, interpolate_emm, next_size, size_grid

PAPER_GRID = (500, 1_000, 2_000, 4_000, 8_000, 16_000)
"""The training-set sizes at which the paper's figures have points, for every configuration."""

# The paper's ratios (figures, ±1 %), by configuration; sizes between are on straight lines in
# log |D|, beyond them the last value holds.
PAPER_CURVES = {
    "32x32": {500: 0.99, 1_000: 0.92, 2_000: 0.61, 4_000: 0.17},
    "16x16": {4_000: 0.945, 8_000: 0.60, 16_000: 0.11},
    "8x8": {4_000: 0.97, 8_000: 0.895, 16_000: 0.64},
    "true labels": {1_000: 0.965, 2_000: 0.795, 3_000: 0.555, 4_000: 0.375, 5_000: 0.23},
    "random labels": {1_000: 0.96, 2_000: 0.80, 3_000: 0.57, 4_000: 0.39, 5_000: 0.235},
}


def searched(sizes, curve, threshold=0.9):
    """What a search over `sizes` measures of `curve`, a function of |D|."""
    ratios = {}
    while (size := next_size(sizes, ratios, threshold=threshold)) is not None:
        assert size not in ratios
        ratios[size] = curve(size)
    return ratios


def line(points):
    logs = np.log(list(points))
    return lambda size: float(np.interp(math.log(size), logs, list(points.values())))


@pytest.mark.parametrize("name", PAPER_CURVES)
def test_the_paper_s_grid_s_bracket_takes_at_least_30_percent_fewer_trainings(name):
    curve = line(PAPER_CURVES[name])
    whole = {size: curve(size) for size in PAPER_GRID}
    result = searched(PAPER_GRID, curve)
    assert len(result) <= 0.7 * len(PAPER_GRID)
    expected = find_bracket(PAPER_GRID, whole, threshold=0.9)
    assert find_bracket(PAPER_GRID, result, threshold=0.9) == expected
    assert expected.done


@pytest.mark.parametrize("name", PAPER_CURVES)
def test_of_the_sizes_in_a_figure_at_most_70_percent_are_trained(name):
    sizes, curve = tuple(PAPER_CURVES[name]), line(PAPER_CURVES[name])
    result = searched(sizes, curve)
    assert len(result) <= 0.7 * len(sizes)
    whole = find_bracket(sizes, PAPER_CURVES[name], threshold=0.9)
    assert find_bracket(sizes, result, threshold=0.9) == whole


@pytest.mark.parametrize("name", PAPER_CURVES)
def test_a_bracket_of_a_tenth_takes_no_more_trainings_than_the_paper_s_grid(name):
    curve, sizes = line(PAPER_CURVES[name]), size_grid(500, 16_000, within=0.1)
    result = searched(sizes, curve)
    assert len(result) <= len(PAPER_GRID)
    ends = find_bracket(sizes, result, threshold=0.9)
    assert ends.high <= 1.101 * ends.low
    exact = np.interp(-0.9, -curve_at(curve, sizes), sizes)
    assert interpolate_emm(ends, threshold=0.9) == pytest.approx(exact, rel=0.01)


def curve_at(curve, sizes):
    return np.array([curve(size) for size in sizes])


SIZES = st.lists(st.integers(2, 10_000), min_size=1, max_size=40, unique=True).map(sorted)


@given(SIZES, st.floats(1, 11_000), st.floats(0.2, 5), st.floats(0.05, 0.95))
def test_a_falling_curve_s_crossing_is_inside_the_bracket(sizes, middle, slope, threshold):
    def curve(size):
        return 1 / (1 + (size / middle) ** slope)

    result = searched(sizes, curve, threshold)
    ends = find_bracket(sizes, result, threshold=threshold)
    above = [size for size in sizes if curve(size) >= threshold]
    assert ends.done
    assert ends.low == (above[-1] if above else None)
    assert ends.high == next((size for size in sizes if size not in above), None)
    assert len(result) <= math.ceil(math.log2(len(sizes) + 1))


@given(SIZES, st.integers(0, 2**32 - 1))
def test_a_noisy_curve_ends_in_a_crossing_of_its_own_as_soon(sizes, seed):
    ratios = dict(zip(sizes, np.random.default_rng(seed).random(len(sizes)), strict=True))
    result = searched(sizes, ratios.__getitem__, 0.5)
    ends = find_bracket(sizes, result, threshold=0.5)
    assert ends.done
    assert ends.low is None or result[ends.low] >= 0.5
    assert ends.high is None or result[ends.high] < 0.5
    places = [-1 if ends.low is None else sizes.index(ends.low)]
    places.append(len(sizes) if ends.high is None else sizes.index(ends.high))
    assert places[1] == places[0] + 1
    assert len(result) <= math.ceil(math.log2(len(sizes) + 1))


def test_of_several_crossings_the_last_one_that_was_seen_counts():
    ratios = {100: 0.95, 200: 0.7, 400: 0.92, 800: 0.1}
    result = find_bracket(tuple(ratios), ratios, threshold=0.9)
    assert (result.low, result.high, result.done) == (400, 800, True)


def test_the_emm_is_interpolated_linearly_between_the_bracket_s_ends():
    result = find_bracket((1_000, 2_000), {1_000: 0.92, 2_000: 0.61}, threshold=0.9)
    assert interpolate_emm(result, threshold=0.9) == pytest.approx(1_000 + 1_000 * 0.02 / 0.31)
    assert interpolate_emm(find_bracket((10,), {10: 0.95}, threshold=0.9), threshold=0.9) is None


def test_a_line_through_two_ratios_saves_trainings_where_halving_leaves_room():
    sizes = size_grid(100, 12_000, within=0.05)

    def curve(size):
        return float(np.clip(1.5 - 0.1 * math.log(size), 0.01, 0.99))

    ratios = searched(sizes, curve, 0.7)
    assert len(ratios) < math.ceil(math.log2(len(sizes) + 1))


def test_sizes_of_a_grid_are_a_fixed_factor_apart():
    sizes = size_grid(500, 50_000, within=0.25)
    assert (sizes[0], sizes[-1]) == (500, 50_000)
    steps = np.array(sizes[1:]) / np.array(sizes[:-1])
    assert steps.max() < 1.252
    assert steps.min() > 1.24 or steps.max() - steps.min() < 0.005
    assert size_grid(8, 8, within=0.1) == (8,)


@pytest.mark.parametrize("wrong", [(1, 10, 0.1), (20, 10, 0.1), (2, 10, 0.0), (2, 10, math.inf)])
def test_a_size_grid_that_cannot_be_is_refused(wrong):
    with pytest.raises(UsageError, match="expected"):
        size_grid(*wrong[:2], within=wrong[2])


def test_a_size_grid_finer_than_whole_numbers_is_all_of_them():
    assert size_grid(2, 40, within=1e-13) == tuple(range(2, 41))
    assert size_grid(2, 40, within=5e-324) == tuple(range(2, 41))
    assert size_grid(100, 101, within=1e300) == (100, 101)


@given(smallest=st.integers(2, 300), more=st.integers(0, 300), within=st.floats(1e-4, 5))
def test_a_size_grid_is_the_rounded_geometric_series(smallest, more, within):
    largest = smallest + more
    steps = max(1, math.ceil(math.log(largest / smallest) / math.log1p(within) - 1e-9))
    series = np.geomspace(smallest, largest, steps + 1).round().astype(int).tolist()
    assert size_grid(smallest, largest, within=within) == tuple(sorted(set(series)))
