import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch_fidelity.metric_kid import kid_features_to_metric

from genmem.errors import InputError, UsageError
from genmem.metrics import kid
from genmem.metrics.kid import kd


def features(count: int, dimension: int = 16, *, seed: int = 0, shift: float = 0.0) -> np.ndarray:
    return np.abs(np.random.default_rng(seed).standard_normal((count, dimension)) + shift)


def theirs(
    a: np.ndarray, b: np.ndarray, *, subsets: int, size: int, seed: int
) -> tuple[float, float]:
    out = kid_features_to_metric(
        torch.from_numpy(a.astype(np.float64)),
        torch.from_numpy(b.astype(np.float64)),
        kid_subsets=subsets,
        kid_subset_size=size,
        rng_seed=seed,
        verbose=False,
    )
    return out["kernel_inception_distance_mean"], out["kernel_inception_distance_std"]


@pytest.mark.parametrize("seed", [0, 2020])
def test_kd_equals_torch_fidelitys_at_the_same_seed(seed: int):
    a, b = features(300), features(250, seed=1, shift=0.2)
    result = kd(generated=a, train=b, subsets=20, subset_size=100, seed=seed)
    mean, deviation = theirs(a, b, subsets=20, size=100, seed=seed)
    assert result.value == pytest.approx(mean, rel=1e-9)
    assert result.parts["deviation"] == pytest.approx(deviation, rel=1e-9)
    assert result.seed == seed


@pytest.mark.parametrize("offset", [0.0, 1.0, 30.0])
def test_float32_features_keep_six_digits_even_far_from_zero(offset: float):
    a = (features(300, 256) + offset).astype(np.float32)
    b = (features(300, 256, seed=1, shift=0.2) + offset).astype(np.float32)
    mean, _ = theirs(a, b, subsets=5, size=200, seed=0)
    assert float(kd(generated=a, train=b, subsets=5, subset_size=200)) == pytest.approx(
        mean, rel=1e-6
    )


def slow_mmd(x: np.ndarray, y: np.ndarray) -> float:
    """The formula, pair by pair."""
    m, d = x.shape
    k = lambda a, b: (float(a @ b) / d + 1) ** 3  # noqa: E731
    within = sum(k(s[i], s[j]) for s in (x, y) for i in range(m) for j in range(m) if i != j)
    across = sum(k(a, b) for a in x for b in y)
    return within / (m * (m - 1)) - 2 * across / m**2


@settings(deadline=None, max_examples=30)
@given(size=st.integers(2, 20), seed=st.integers(0, 99))
def test_one_subset_equals_the_formula_pair_by_pair(size: int, seed: int):
    a, b = features(size, 4, seed=seed), features(size, 4, seed=seed + 1, shift=0.5)
    whole = float(kd(generated=a, train=b, subsets=1))
    assert whole == pytest.approx(slow_mmd(a, b), rel=1e-9, abs=1e-12)


@pytest.mark.parametrize(("product_rows", "cached_rows"), [(7, 3), (10, 4), (64, 64), (6, 16)])
def test_block_sizes_do_not_matter(monkeypatch: pytest.MonkeyPatch, product_rows, cached_rows):
    a, b = features(10, 4), features(10, 4, seed=1, shift=0.5)
    monkeypatch.setattr(kid, "_PRODUCT_ROWS", product_rows)
    monkeypatch.setattr(kid, "_CACHED_ROWS", cached_rows)
    assert kid._mmd(a, b) == pytest.approx(slow_mmd(a, b), rel=1e-9)


def test_smaller_sets_shrink_the_subsets_and_say_so():
    result = kd(generated=features(40), train=features(300, seed=1), subsets=3)
    assert result.parts["subset_size"] == 40
    assert "subsets of 40" in result.notes[0]
    assert not kd(generated=features(40), train=features(40), subsets=2, subset_size=40).notes


def test_two_samples_of_one_source_are_zero_in_expectation():
    result = kd(generated=features(2000), train=features(2000, seed=1), subset_size=200)
    assert abs(result.value) < 3 * result.parts["deviation"]
    far = kd(generated=features(2000, shift=1.0), train=features(2000, seed=1), subset_size=200)
    assert far.value > 10 * far.parts["deviation"]


def test_swapping_generated_and_train_draws_other_subsets():
    a, b = features(300), features(300, seed=1, shift=0.2)
    forward = kd(generated=a, train=b, subsets=5, subset_size=50)
    backward = kd(generated=b, train=a, subsets=5, subset_size=50)
    assert forward.value != pytest.approx(backward.value, rel=1e-6)
    assert forward.value == pytest.approx(theirs(a, b, subsets=5, size=50, seed=0)[0], rel=1e-9)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_tensors_give_what_arrays_give(dtype):
    a, b = features(100).astype(dtype), features(90, seed=1).astype(dtype)
    arrays = kd(generated=a, train=b, subsets=3, subset_size=50)
    tensors = kd(
        generated=torch.from_numpy(a), train=torch.from_numpy(b), subsets=3, subset_size=50
    )
    assert arrays == tensors


def test_bad_input_is_refused_in_words():
    with pytest.raises(InputError, match="train: expected at least 2 rows, got 1"):
        kd(generated=features(5), train=features(1))
    with pytest.raises(UsageError, match="subsets ≥ 1"):
        kd(generated=features(5), train=features(5), subsets=0)


def test_the_code_for_tensors_on_a_device_gives_what_the_code_for_arrays_gives():
    """Run on the CPU here, where tensors are otherwise taken as arrays."""
    a, b = features(30), features(30, seed=1, shift=0.5)
    tensors = kid._mmd(torch.from_numpy(a), torch.from_numpy(b))
    assert tensors == pytest.approx(kid._mmd(a, b), rel=1e-9)
