import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from genmem import arrays
from genmem.errors import InputError
from genmem.metrics.moments import Moments, moments


def rows(count: int, dimension: int = 5, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal((count, dimension))


def assert_same(found: Moments, features: np.ndarray, relative: float = 1e-12) -> None:
    mean, covariance = found.compute()
    scale = np.abs(covariance).max()
    assert found.count == len(features)
    np.testing.assert_allclose(mean, features.mean(0), rtol=relative, atol=relative)
    expected = np.cov(features, rowvar=False)
    np.testing.assert_allclose(covariance, expected, rtol=0, atol=relative * scale)


def test_mean_and_covariance_equal_numpys():
    features = rows(200)
    assert_same(moments(features), features)


@settings(deadline=None, max_examples=50)
@given(
    cuts=st.lists(st.integers(0, 60), max_size=5), seed=st.integers(0, 99), offset=st.floats(0, 1e3)
)
def test_any_blocks_in_any_merge_order_equal_one_pass(cuts: list[int], seed: int, offset: float):
    features = rows(60, seed=seed) + offset
    parts = [part for part in np.split(features, sorted(cuts)) if len(part)]
    one_by_one, merged = Moments(), Moments()
    for part in parts:
        one_by_one.update(part)
    for part in reversed(parts):
        merged.merge(moments(part))
    assert_same(one_by_one, features, relative=1e-9)
    assert_same(merged, features, relative=1e-9)


def test_features_far_from_zero_keep_their_digits():
    features = rows(500) + 1e6
    assert_same(moments(features), features, relative=1e-9)


def test_a_small_block_size_changes_nothing_but_rounding(monkeypatch: pytest.MonkeyPatch):
    features = rows(100)
    monkeypatch.setattr(arrays, "BLOCK_BYTES", 8 * 5 * 7)
    assert len(list(arrays.block_slices(100, 5))) == 15
    assert_same(moments(features), features)


def test_merging_leaves_the_other_accumulator_alone():
    first, second = moments(rows(10)), Moments()
    second.merge(first)
    before = first.scatter.copy()
    second.update(rows(10, seed=1))
    np.testing.assert_array_equal(first.scatter, before)
    assert (first.count, second.count) == (10, 20)


def test_merging_an_empty_accumulator_changes_nothing():
    found = moments(rows(10))
    found.merge(Moments())
    assert found.count == 10


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_tensors_give_what_their_arrays_give(dtype: torch.dtype):
    features = torch.from_numpy(rows(50)).to(dtype)
    assert_same(moments(features), features.double().numpy())


def test_the_input_is_never_written_to(tmp_path):
    features = rows(50)
    np.save(tmp_path / "f.npy", features)
    mapped = np.load(tmp_path / "f.npy", mmap_mode="r")
    tensor = torch.from_numpy(features.copy())
    assert_same(moments(mapped), features)
    assert_same(moments(tensor), features)
    np.testing.assert_array_equal(tensor.numpy(), features)


def test_blocks_of_different_dimension_are_refused():
    found = moments(rows(10))
    with pytest.raises(InputError, match="expected dimension 5"):
        found.update(rows(10, 6))
    with pytest.raises(InputError, match="expected dimension 5"):
        found.merge(moments(rows(10, 6)))


def test_one_row_has_no_covariance():
    with pytest.raises(InputError, match="at least 2"):
        moments(rows(1)).compute()


def test_nan_is_refused():
    features = rows(10)
    features[3, 2] = np.nan
    with pytest.raises(InputError, match="row 3"):
        moments(features)


def test_rows_are_taken_out_of_moments():
    rows = np.random.default_rng(0).normal(3.0, 2.0, (70, 5))
    rest = moments(rows).without(moments(rows[:30]))
    expected = moments(rows[30:])
    assert rest.count == 40
    np.testing.assert_allclose(rest.mean, expected.mean, rtol=1e-13)
    np.testing.assert_allclose(rest.scatter, expected.scatter, rtol=1e-11, atol=1e-11)
