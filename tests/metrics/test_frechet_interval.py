"""The influence of images on FD, and its interval."""

import math

import numpy as np
import pytest
import torch

from genmem.errors import InputError
from genmem.metrics.frechet import fd
from genmem.metrics.frechet_interval import fd_influence, fd_interval
from genmem.metrics.moments import Moments, moments


def features(count, dimension=6, *, seed=0, shift=0.0, spread=1.0):
    mixing = np.random.default_rng(99).normal(size=(dimension, dimension)) / dimension**0.5
    rows = np.random.default_rng(seed).normal(size=(count, dimension))
    return (rows @ mixing * spread + 0.3 + shift).astype(np.float64)


def weighted_fd(rows, weights, train):
    """FD of a set whose row i counts weights[i] times, with 1/Σw covariances."""
    total = weights.sum()
    mean = weights @ rows / total
    centred = rows - mean
    side = Moments(len(rows), mean, (centred.T * weights) @ centred * (len(rows) - 1) / total)
    return float(fd(generated=side, train=train))


def test_the_influence_is_the_derivative_of_fd_in_a_rows_weight():
    generated, train = features(60, seed=1, shift=0.2, spread=1.3), moments(features(400))
    found = fd_influence(generated=generated, train=train)
    step = 1e-4
    for row in (0, 7, 59):
        up, down = (np.ones(60), np.ones(60))
        up[row] += step
        down[row] -= step
        slope = weighted_fd(generated, up, train) - weighted_fd(generated, down, train)
        slope = 60 * slope / (2 * step)
        # The covariances are 1/n here and 1/(n − 1) there: one part in 60.
        assert found[row] == pytest.approx(slope, rel=0.05, abs=0.02 * found.std())
    assert found.mean() == pytest.approx(0, abs=1e-12)


def slow_influence(generated, train):
    """2 (μ_g − μ_t)ᵀ(x − μ_g) + (x − μ_g)ᵀ(I − T)(x − μ_g), centred, T from its definition."""
    from scipy.linalg import inv, sqrtm

    mean_g, mean_t = generated.mean(0), train.mean(0)
    cov_g, cov_t = np.cov(generated, rowvar=False), np.cov(train, rowvar=False)
    root = np.asarray(sqrtm(cov_t)).real
    T = root @ inv(np.asarray(sqrtm(root @ cov_g @ root)).real) @ root
    assert T @ cov_g @ T == pytest.approx(cov_t, rel=1e-6, abs=1e-9)
    centred = generated - mean_g
    values = 2 * centred @ (mean_g - mean_t)
    values += np.einsum("ij,jk,ik->i", centred, np.eye(len(mean_g)) - T, centred)
    return values - values.mean()


@pytest.mark.parametrize(("n", "m", "d"), [(80, 90, 6), (300, 500, 40)])
def test_the_influence_equals_the_formula(n, m, d):
    generated, train = features(n, d, seed=2, shift=0.1, spread=1.2), features(m, d, seed=3)
    slow = slow_influence(generated, train)
    size = np.abs(slow).max()
    for given in (generated, torch.from_numpy(generated), generated.astype(np.float32)):
        found = fd_influence(generated=given, train=train)
        assert found == pytest.approx(slow, abs=2e-5 * size)
    shared = fd_influence(generated=generated, train=moments(train), moments=moments(generated))
    assert shared == pytest.approx(slow, abs=2e-5 * size)
    swapped = fd_influence(generated=train, train=generated)
    assert swapped.std() != pytest.approx(slow.std(), rel=1e-2)


def test_blocks_of_rows_do_not_matter(monkeypatch):
    from genmem import arrays

    generated, train = features(300, seed=4), features(200, seed=5, shift=0.1)
    whole = fd_influence(generated=generated, train=train)
    monkeypatch.setattr(arrays, "BLOCK_BYTES", 8 * 6 * 70)
    assert fd_influence(generated=generated, train=train) == pytest.approx(whole, abs=1e-5)


def test_constant_columns_and_few_training_rows_are_no_obstacle():
    generated, train = features(300, 12), features(300, 12, seed=1, shift=0.1)
    kept = [c for c in range(12) if c not in (3, 7)]
    generated[:, [3, 7]] = train[:, [3, 7]] = 0.5
    without = fd_influence(generated=generated[:, kept], train=train[:, kept])
    found = fd_influence(generated=generated, train=train)
    assert found == pytest.approx(without, abs=1e-4 * np.abs(without).max())
    few = fd_influence(generated=generated, train=train[:8])
    assert np.isfinite(few).all()


def test_no_more_rows_than_dimensions_are_refused_in_words():
    with pytest.raises(InputError, match="at least 7 rows, got 6: an interval of FD"):
        fd_influence(generated=features(6), train=features(60))


@pytest.mark.parametrize(
    ("shift", "spread", "n", "most"),
    [(0.4, 1.5, 200, 1.15), (0.1, 1.1, 400, 1.3), (0, 1, 300, 1.6)],
)
def test_the_interval_is_as_wide_as_fd_varies_and_at_most_that_much_wider(shift, spread, n, most):
    """The last is the hardest case, equal distributions: FD is all bias and no first order."""
    train = moments(features(5_000, seed=6))
    values, widths = [], []
    for seed in range(300):
        generated = features(n, seed=100 + seed, shift=shift, spread=spread)
        value = float(fd(generated=generated, train=train))
        influence = fd_influence(generated=generated, train=train)
        ends = fd_interval(value=value, influence=influence)
        assert ends.low <= value <= ends.high
        values.append(value)
        widths.append((ends.high - value) / 1.96)
    ratio = math.sqrt(np.mean(np.square(widths))) / np.std(values, ddof=1)
    assert 0.85 < ratio < most


def test_the_interval_says_what_it_leaves_out_and_stops_at_zero():
    ends = fd_interval(value=0.1, influence=np.array([5.0, -5.0, 1.0, -1.0]))
    assert ends.low == 0
    assert ends.high == pytest.approx(0.1 + 1.96 * math.sqrt(52 / 3 / 4), rel=1e-4)
    assert "delta method" in ends.method
    assert "without bias" in ends.method


def test_the_code_for_tensors_on_a_device_gives_what_the_code_for_arrays_gives(monkeypatch):
    """Run on the CPU here, where tensors are otherwise taken as arrays."""
    from genmem.metrics import frechet_interval as room
    from genmem.metrics.frechet import Gaussian

    generated, train = features(300, 40, shift=0.1), features(500, 40, seed=1)
    expected = fd_influence(generated=generated, train=train)
    fit, copy = room.gaussian, room.copy_float64

    def fit_tensors(given):
        side = fit(given)
        return Gaussian(side.count, torch.from_numpy(side.mean), torch.from_numpy(side.covariance))

    monkeypatch.setattr(room, "gaussian", fit_tensors)
    monkeypatch.setattr(room, "copy_float64", lambda *given: torch.from_numpy(copy(*given)))
    found = fd_influence(generated=generated, train=train)
    assert found == pytest.approx(expected, abs=2e-5 * np.abs(expected).max())
