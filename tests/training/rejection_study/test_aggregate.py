"""Intervals over seeds against scipy's, and what cannot have one."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from genmem.study_results.rejection import SeedMean
from genmem.training.rejection_study.aggregate import (
    mean_over_seeds,
    paired_difference,
    paired_ratio,
)

NUMBERS = st.floats(-1e6, 1e6, allow_nan=False).map(lambda value: round(value, 6))


@settings(max_examples=40, deadline=None)
@given(st.lists(NUMBERS, min_size=2, max_size=12).filter(lambda values: np.ptp(values) > 1e-3))
def test_the_interval_over_seeds_is_student_s(values):
    result = mean_over_seeds(values)
    low, high = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert result.n == len(values)
    assert result.mean == pytest.approx(np.mean(values), abs=1e-6)
    assert (result.low, result.high) == pytest.approx((low, high), rel=1e-6, abs=1e-6)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(NUMBERS, NUMBERS), min_size=2, max_size=8))
def test_the_paired_difference_is_that_of_a_paired_t_test(pairs):
    ours, base = (dict(enumerate(side)) for side in zip(*pairs, strict=True))
    differences = np.array([one - other for one, other in pairs])
    result = paired_difference(ours, base)
    assert result.mean == pytest.approx(differences.mean(), abs=1e-6)
    if np.ptp(differences) > 1e-3:
        low, high = stats.ttest_rel(*zip(*pairs, strict=True)).confidence_interval(0.95)
        assert (result.low, result.high) == pytest.approx((low, high), rel=1e-6, abs=1e-6)


def test_one_seed_has_a_mean_and_no_interval_and_none_has_neither():
    assert mean_over_seeds([3.0]) == SeedMean(mean=3.0, low=None, high=None, n=1)
    assert mean_over_seeds([]) == SeedMean(mean=None, low=None, high=None, n=0)


def test_only_seeds_that_have_both_are_paired():
    result = paired_difference({0: 5.0, 1: 9.0, 2: None}, {0: 3.0, 2: 1.0})
    assert (result.mean, result.n) == (2.0, 1)
    ratio = paired_ratio({0: 6.0, 1: 9.0}, {0: 3.0, 1: 0.0})
    assert (ratio.mean, ratio.n) == (2.0, 1)
