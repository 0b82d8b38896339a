"""Intervals of the shares, the mean distance and C_T: against slow formulas and by simulation."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest, hypergeom, norm, ttest_1samp

from genmem.metrics.c_t import c_t, c_t_from_distances
from genmem.metrics.intervals import hypergeometric_tail
from genmem.metrics.memorization_distance import memorization_distance_from
from genmem.metrics.memorization_ratio import memorization_ratio_from
from genmem.neighbors import Nearest


def distance_of(values):
    values = np.asarray(values, dtype=float)
    return memorization_distance_from(
        distances=values, zero_rows=np.zeros(len(values), dtype=bool), train_rows=7
    )


def test_the_mean_distance_has_students_interval_cut_at_zero():
    values = np.random.default_rng(0).gamma(5, 0.05, 40)
    ends = distance_of(values).interval
    expected = ttest_1samp(values, 0).confidence_interval(0.95)
    assert (ends.low, ends.high) == pytest.approx((expected.low, expected.high), rel=1e-12)
    assert ends.level == 0.95
    assert "t·s/√n" in ends.method
    assert distance_of([0.0, 0.0, 0.3]).interval.low == 0


@pytest.mark.parametrize("values", [[0.4], [0.0, 0.0, 0.0]])
def test_distances_without_spread_have_no_interval_rather_than_one_without_width(values):
    assert distance_of(values).interval is None


def test_the_interval_of_the_mean_distance_holds_it_in_95_of_100_draws():
    rng = np.random.default_rng(1)
    draws = rng.gamma(3, 0.05, (2_000, 200))
    held = 0
    for values in draws:
        ends = distance_of(values).interval
        held += ends.low <= 0.15 <= ends.high
    assert held / len(draws) == pytest.approx(0.95, abs=0.02)


@settings(deadline=None, max_examples=40)
@given(st.integers(1, 400).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n))))
def test_the_memorization_ratio_has_clopper_and_pearsons_interval(counts):
    memorized, total = counts
    distances = np.ones((total, 2))
    distances[:memorized, 0] = 0.1
    result = memorization_ratio_from(
        two_nearest=Nearest(distances, np.zeros((total, 2), dtype=np.int64)),
        train_duplicates=0,
        train_rows=9,
    )
    expected = binomtest(memorized, total).proportion_ci(0.95, method="exact")
    ends = result.interval
    assert (ends.low, ends.high) == pytest.approx((expected.low, expected.high), rel=1e-9)
    assert ends.low <= result.value <= ends.high
    assert ends.method.startswith("Clopper–Pearson")


def compared(generated, test):
    return c_t_from_distances(generated=np.asarray(generated), test=np.asarray(test))


def slow_deviation(generated, test):
    """DeLong's: of the z-score, from the share of pairs that each distance wins."""
    m, n = len(generated), len(test)
    wins = [[(g > t) + 0.5 * (g == t) for t in test] for g in generated]
    of_generated = [np.mean(row) for row in wins]
    of_test = [np.mean(column) for column in zip(*wins, strict=True)]
    theta = np.mean(of_generated)
    variance = sum((v - theta) ** 2 for v in of_generated) / (m - 1) / m
    variance += sum((v - theta) ** 2 for v in of_test) / (n - 1) / n
    sizes = np.unique([*generated, *test], return_counts=True)[1]
    ties = sum(int(size) ** 3 - int(size) for size in sizes)
    unit = math.sqrt(n * m / 12 * (n + m + 1 - ties / ((n + m) * (n + m - 1))))
    return math.sqrt(variance) * n * m / unit


@pytest.mark.parametrize("digits", [1, 6])
def test_the_interval_of_c_t_is_delongs(digits):
    rng = np.random.default_rng(2)
    generated, test = rng.random(40).round(digits), (rng.random(30) + 0.2).round(digits)
    result = compared(generated, test)
    half = norm.ppf(0.975) * slow_deviation(generated, test)
    ends = result.interval
    assert ends.low == pytest.approx(result.value - half, rel=1e-9)
    assert ends.high == pytest.approx(result.value + half, rel=1e-9)
    assert "DeLong" in ends.method
    row = result.parts["cells"][0]
    assert (row["z"], row["low"], row["high"]) == (result.value, ends.low, ends.high)


@pytest.mark.parametrize(("m", "n", "shift"), [(60, 60, 0.0), (300, 100, 0.0), (80, 200, -0.8)])
def test_the_interval_of_c_t_holds_its_mean_over_samples_in_95_of_100_draws(m, n, shift):
    rng = np.random.default_rng(3)
    draws = [compared(rng.normal(shift, 1, m), rng.normal(0, 1, n)) for _ in range(1_000)]
    theta = norm.cdf(shift / math.sqrt(2))
    middle = (m * n * (theta - 0.5) + 0.5) / math.sqrt(n * m / 12 * (n + m + 1))
    held = np.mean([one.interval.low <= middle <= one.interval.high for one in draws])
    assert held == pytest.approx(0.95, abs=0.025)


@pytest.mark.parametrize("side", [-1, 1])
def test_sets_that_do_not_overlap_get_a_bound_not_an_interval_without_width(side):
    rng = np.random.default_rng(4)
    generated, test = rng.random(30) + 5 * side, rng.random(50)
    result = compared(generated, test)
    ends = result.interval
    bound = 30 * 50 * (1 - 0.025 ** (1 / 30)) / math.sqrt(30 * 50 / 12 * 81)
    if side < 0:
        assert (ends.low, ends.high) == pytest.approx((result.value, result.value + bound))
    else:
        assert (ends.low, ends.high) == pytest.approx((result.value - bound, result.value))
    assert ends.high - ends.low > 0.5


@pytest.mark.parametrize(("generated", "test"), [([0.1], [0.2, 0.3]), ([0.5] * 4, [0.5] * 6)])
def test_a_single_distance_or_all_the_same_have_no_interval(generated, test):
    assert compared(generated, test).interval is None


def three_blobs(rng, rows):
    labels = np.arange(rows) % 3
    return (10 * np.eye(4)[labels] + rng.normal(size=(rows, 4))).astype(np.float32), labels.tolist()


def test_the_intervals_of_cells_and_classes_are_put_together_with_their_weights():
    rng = np.random.default_rng(5)
    made = {role: three_blobs(rng, n) for role, n in (("generated", 150), ("train", 200))}
    made["test"] = three_blobs(rng, 110)
    sets = {role: rows for role, (rows, _) in made.items()}
    labels = {role: names for role, (_, names) in made.items()}
    for options, weigh in (({"cells": 3}, True), ({"categories": labels}, False)):
        result = c_t(**sets, **options)
        table = result.parts["cells"]
        weights = np.array([row["test"] if weigh else 1 for row in table], dtype=float)
        weights /= weights.sum()
        z, low, high = (np.array([row[key] for row in table]) for key in ("z", "low", "high"))
        assert result.value == pytest.approx(weights @ z)
        below = math.sqrt((weights**2) @ (z - low) ** 2)
        above = math.sqrt((weights**2) @ (high - z) ** 2)
        assert result.interval.low == pytest.approx(result.value - below)
        assert result.interval.high == pytest.approx(result.value + above)


def test_a_cell_without_an_interval_leaves_the_whole_without_one():
    rng = np.random.default_rng(6)
    train, _ = three_blobs(rng, 60)
    generated, labels = three_blobs(rng, 90)
    test, _ = three_blobs(rng, 60)
    test = test[[0, *range(1, 60, 3)]]  # one row of the first blob
    result = c_t(generated=generated, train=train, test=test, cells=3)
    assert math.isfinite(result.value)
    assert result.interval is None
    assert len(labels) == 90


@pytest.mark.parametrize(
    ("count", "draws", "marked", "total"),
    [
        (0, 5, 3, 9),
        (2, 5, 3, 9),
        (3, 3, 3, 9),
        (30, 1_000, 60, 20_000),
        (7, 250, 9, 500),
        (5, 5, 8, 9),
    ],
)
def test_the_hypergeometric_tail_is_that_of_scipy(count, draws, marked, total):
    expected = hypergeom.sf(count - 1, total, marked, draws)
    tail = hypergeometric_tail(count, draws=draws, marked=marked, total=total)
    assert tail == pytest.approx(expected, rel=1e-9)
