"""Statistics of a set are a mean and a covariance, or refused in one line."""

import numpy as np
import pytest

import genmem
from genmem import InputError, Statistics

ROWS = np.random.default_rng(0).normal(size=(50, 6))
MU, SIGMA = ROWS.mean(0), np.cov(ROWS.T)


def test_a_mean_and_a_covariance_are_taken_and_made_float64_and_symmetric():
    skewed = SIGMA.astype(np.float32)
    skewed[0, 1] = np.nextafter(skewed[0, 1], np.float32(1))
    given = Statistics(mu=MU.astype(np.float32), sigma=skewed)
    assert given.mu.dtype == given.sigma.dtype == np.float64
    assert (given.sigma == given.sigma.T).all()
    assert np.allclose(given.sigma, SIGMA, rtol=1e-6)


def test_a_singular_covariance_is_one():
    few = ROWS[:4]
    Statistics(mu=few.mean(0), sigma=np.cov(few.T))
    Statistics(mu=MU, sigma=np.zeros((6, 6)))
    assert np.linalg.eigvalsh(np.cov(few.T))[0] < 1e-12


@pytest.mark.parametrize(
    ("mu", "sigma", "message"),
    [
        (MU[:5], SIGMA, r"shapes \[5\] and \[6, 6\]"),
        (MU[None], SIGMA, r"shapes \[1, 6\]"),
        (MU, MU, r"sigma \[d, d\]"),
        (MU[:0], SIGMA[:0, :0], "shapes"),
        (MU * np.nan, SIGMA, "mu holds NaN"),
        (MU, SIGMA + np.inf, "sigma holds NaN or infinity"),
        (MU, SIGMA + np.triu(np.ones((6, 6)), 1) * 1e-3, "symmetric"),
        (MU, SIGMA - 0.9 * np.eye(6), "negative eigenvalues"),
        (MU, -np.eye(6), "negative eigenvalues"),
        (MU.astype(int), SIGMA, "floating point"),
    ],
)
def test_anything_else_is_refused(mu, sigma, message):
    with pytest.raises(InputError, match=message):
        Statistics(mu=mu, sigma=sigma)


def test_statistics_are_no_rows_for_any_function_that_takes_rows():
    given = Statistics(mu=MU, sigma=SIGMA)
    calls = [
        lambda: genmem.mifid(generated=ROWS, train=given, tau=0.1),
        lambda: genmem.memorization_distance(generated=given, train=ROWS),
        lambda: genmem.kd(generated=ROWS, train=given),
        lambda: genmem.nearest(ROWS, given),
        lambda: genmem.load_features(given),
        lambda: genmem.open_images(given),
    ]
    for call in calls:
        with pytest.raises(InputError, match="tatistics"):
            call()
