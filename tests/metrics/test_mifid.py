"""MiFID against its formula: which side is which, where the penalty sets in, and its parts."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genmem.errors import InputError, UsageError
from genmem.metrics import mifid as mifid_module
from genmem.metrics.frechet import fd
from genmem.metrics.memorization_distance import (
    memorization_distance,
    memorization_distance_from,
)
from genmem.metrics.mifid import mifid, mifid_from, mifid_with_interval
from genmem.results import Result


def sets(seed=0, copies=30):
    rng = np.random.default_rng(seed)
    train = np.abs(rng.normal(size=(60, 5)))
    generated = np.abs(rng.normal(size=(40, 5)))
    generated[:copies] = train[:copies] * (1 + 0.01 * rng.normal(size=(copies, 5)))
    return {"generated": generated, "train": train}


def slow_mifid(generated, train, tau, epsilon):
    """Straight from the paper's formulas, with scipy's matrix square root for FD."""
    from scipy.linalg import sqrtm

    nearest = []
    for g in generated:
        cosines = [
            abs(float(np.dot(g, x))) / (math.sqrt(np.dot(g, g)) * math.sqrt(np.dot(x, x)))
            for x in train
        ]
        nearest.append(min(1 - cosine for cosine in cosines))
    s = sum(nearest) / len(nearest)
    sigma_g, sigma_t = np.cov(generated, rowvar=False), np.cov(train, rowvar=False)
    distance = ((generated.mean(0) - train.mean(0)) ** 2).sum() + np.trace(
        sigma_g + sigma_t - 2 * np.real(sqrtm(sigma_g @ sigma_t))
    )
    return distance / (s + epsilon) if s < tau else distance


@pytest.mark.parametrize("tau", [0.001, 0.05, 0.9])
def test_mifid_equals_the_formula_on_both_sides_of_tau_and_not_its_swap(tau):
    given = sets()
    expected = slow_mifid(**given, tau=tau, epsilon=1e-15)
    assert mifid(**given, tau=tau).value == pytest.approx(expected, rel=1e-6)
    if tau == 0.9:
        swapped = mifid(generated=given["train"], train=given["generated"], tau=tau)
        assert swapped.value != pytest.approx(expected, rel=1e-3)


def test_the_parts_are_what_the_value_is_made_of():
    given = sets()
    result = mifid(**given, tau=0.5)
    parts = result.parts
    assert parts["fd"] == fd(**given).value
    assert parts["memorization_distance"] == memorization_distance(**given).value
    assert result.value == parts["fd"] * parts["penalty"]
    assert parts["penalized"]
    assert (parts["tau"], parts["epsilon"]) == (0.5, 1e-15)


def test_a_distance_of_exactly_tau_is_not_penalized():
    given = sets()
    tau = memorization_distance(**given).value
    assert not mifid(**given, tau=tau).parts["penalized"]
    assert mifid(**given, tau=np.nextafter(tau, 1)).parts["penalized"]


def test_replaying_the_training_set_does_not_pay():
    given = sets(copies=0)
    honest = mifid(**given, tau=0.1)
    replayed = mifid(generated=given["train"] + 1e-3, train=given["train"], tau=0.1)
    assert replayed.parts["fd"] < honest.parts["fd"]
    assert replayed.parts["penalty"] > 1000


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 999), copies=st.integers(0, 40), tau=st.floats(0.001, 1.0))
def test_mifid_is_never_below_fd(seed, copies, tau):
    given = sets(seed, min(copies, 40))
    result = mifid(**given, tau=tau)
    assert result.value >= result.parts["fd"] >= 0


@pytest.mark.parametrize(("tau", "epsilon"), [(0.0, 1e-15), (1.1, 1e-15), (0.1, 0.0)])
def test_a_threshold_out_of_range_is_refused(tau, epsilon):
    with pytest.raises(UsageError, match="expected a"):
        mifid(**sets(), tau=tau, epsilon=epsilon)


def test_the_threshold_belongs_to_the_features_and_has_no_default():
    with pytest.raises(TypeError, match="'tau'"):
        mifid(**sets())  # pyright: ignore[reportCallIssue]


def test_one_generated_row_is_refused_by_role():
    given = sets()
    with pytest.raises(InputError, match="generated"):
        mifid(generated=given["generated"][:1], train=given["train"], tau=0.1)


def mifid_parts(rng, n, *, tau, zeros=0):
    distances = rng.gamma(4, 0.05, n)
    zero_rows = np.zeros(n, dtype=bool)
    zero_rows[:zeros] = True
    influence = rng.normal(0, 30, n) - 40 * distances
    influence -= influence.mean()
    return {
        "fd": Result(name="fd", value=12.0, n={"generated": n, "train": 9}),
        "distance": memorization_distance_from(
            distances=distances, zero_rows=zero_rows, train_rows=9
        ),
        "tau": tau,
        "influence": influence,
        "distances": distances,
        "zero_rows": zero_rows,
    }


def without_interval(parts):
    return mifid_from(fd=parts["fd"], distance=parts["distance"], tau=parts["tau"])


@pytest.mark.parametrize("tau", [0.1, 0.5])
@pytest.mark.parametrize("zeros", [0, 30])
def test_the_interval_of_mifid_is_a_bootstrap_of_the_pair(tau, zeros):
    parts = mifid_parts(np.random.default_rng(7), 400, tau=tau, zeros=zeros)
    result = mifid_with_interval(**parts, seed=3)
    rng = np.random.default_rng(8)
    values = []
    for _ in range(4_000):
        rows = rng.integers(0, 400, 400)
        directed = rows[~parts["zero_rows"][rows]]
        s = parts["distances"][directed].mean()
        value = max(0.0, 12.0 + parts["influence"][rows].mean())
        values.append(value / (s + 1e-15) if s < tau else value)
    low, high = np.quantile(values, [0.025, 0.975])
    ends = result.interval
    assert (ends.low, ends.high) == pytest.approx((low, high), rel=0.03)
    assert result.value == without_interval(parts).value
    assert result.seed == 3
    assert "1,000 resamples" in ends.method
    assert result.notes[:-1] == without_interval(parts).notes
    assert "the upward bias of FD for their number is not in it" in result.notes[-1]


def test_a_penalty_that_depends_on_chance_is_in_the_interval_and_in_a_note():
    parts = mifid_parts(np.random.default_rng(9), 300, tau=0.2)
    mean = parts["distances"].mean()
    parts["distance"] = Result(name="memorization_distance", value=mean, n={})
    parts["tau"] = float(mean) + 0.001
    result = mifid_with_interval(**parts)
    assert result.interval.low < 20 < 45 < result.interval.high
    assert "matter of chance" in result.notes[-1]


def test_resamples_are_the_same_for_a_seed_and_however_many_are_drawn_at_once(monkeypatch):
    parts = mifid_parts(np.random.default_rng(10), 50, tau=0.1)
    first = mifid_with_interval(**parts, seed=1)
    assert first == mifid_with_interval(**parts, seed=1)
    assert first.interval != mifid_with_interval(**parts, seed=2).interval
    monkeypatch.setattr(mifid_module, "_DRAWN_AT_ONCE", 120)
    assert mifid_with_interval(**parts, seed=1) == first


@pytest.mark.parametrize("tau", [True, "0.1", None, float("nan"), 0, 1.5])
def test_a_tau_that_is_no_distance_is_refused(tau):
    rows = np.random.default_rng(0).random((9, 3))
    with pytest.raises(UsageError, match=r"tau: expected a distance in \(0, 1\]"):
        mifid(generated=rows, train=rows[::-1], tau=tau)
