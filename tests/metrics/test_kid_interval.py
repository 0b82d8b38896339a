"""KD's interval, and those of precision and density."""

from functools import partial

import numpy as np
import pytest

from genmem.metrics.kid import kd
from genmem.metrics.kid_interval import kd_interval, kd_with_interval
from genmem.metrics.prdc import prdc


def test_the_interval_is_the_delta_method_on_the_witness_function():
    rng = np.random.default_rng(0)
    generated, train = rng.normal(0.3, 1.1, size=(60, 5)) + 4, rng.normal(size=(80, 5)) + 4

    def kernel(x, y):
        return (x @ y / 5 + 1) ** 3

    witness = [
        np.mean([kernel(x, g) for g in generated]) - np.mean([kernel(x, t) for t in train])
        for x in generated
    ]
    half = 1.96 * np.sqrt(4 * np.var(witness, ddof=1) / 60 + 0.2**2 / 10)
    ends = kd_interval(
        value=2.0, deviation=0.2, subsets=10, generated=generated, train=train, seed=0
    )
    assert (ends.low, ends.high) == pytest.approx((2 - half, 2 + half), rel=1e-3)


@pytest.mark.parametrize(("shift", "lowest", "highest"), [(0.5, 0.8, 1.25), (0.0, 0.9, 3.0)])
def test_the_interval_is_as_wide_as_kd_varies_and_wider_where_the_sets_are_the_same(
    shift, lowest, highest, monkeypatch
):
    train = np.random.default_rng(1).normal(size=(600, 6))
    monkeypatch.setattr("genmem.metrics.kid_interval.kd", partial(kd, subsets=4))
    results = [
        kd_with_interval(
            generated=np.random.default_rng(10 + seed).normal(shift, 1, size=(300, 6)),
            train=train,
        )
        for seed in range(120)
    ]
    widths = [(one.interval.high - one.value) / 1.96 for one in results]
    ratio = np.sqrt(np.mean(np.square(widths))) / np.std([one.value for one in results], ddof=1)
    assert lowest < ratio < highest


def test_the_intervals_of_precision_and_density_hold_their_expectation():
    rng = np.random.default_rng(2)
    train = rng.normal(size=(200, 4))
    results = [prdc(generated=rng.normal(0.4, 1, size=(150, 4)), train=train) for _ in range(60)]
    for name in ("precision", "density"):
        mean = np.mean([one[name].value for one in results])
        held = [one[name].interval.low <= mean <= one[name].interval.high for one in results]
        assert np.mean(held) >= 0.88, name
    assert results[0]["recall"].interval is None
    assert results[0]["coverage"].interval is None
