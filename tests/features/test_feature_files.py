import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import genmem.features as features
from genmem.errors import InputError

ROWS = np.random.default_rng(0).normal(size=(10, 6)).astype(np.float32)


def test_a_float32_file_is_mapped_and_not_copied(tmp_path):
    np.save(tmp_path / "f.npy", ROWS)
    found = features.load_features(tmp_path / "f.npy")
    assert isinstance(found.array, np.memmap)
    assert np.array_equal(found.array, ROWS)
    assert found.ids[3] == "000003"
    assert (len(found.ids), found.skipped, found.logits) == (10, (), None)


@pytest.mark.parametrize("dtype", ["float16", "float64", ">f4"])
def test_other_float_types_become_float32(tmp_path, dtype):
    np.save(tmp_path / "f.npy", ROWS.astype(dtype))
    found = features.load_features(tmp_path / "f.npy")
    assert found.array.dtype == np.float32
    np.testing.assert_allclose(found.array, ROWS, rtol=1e-3, atol=1e-3)


def test_an_array_in_memory_is_not_copied():
    assert features.load_features(ROWS).array is ROWS


def test_a_tensor_is_accepted():
    assert np.array_equal(features.load_features(torch.from_numpy(ROWS)).array, ROWS)


def test_an_archive_with_one_table_or_one_called_features_is_read(tmp_path):
    np.savez(tmp_path / "one.npz", anything=ROWS, labels=np.arange(10))
    np.savez(tmp_path / "two.npz", features=ROWS, other=ROWS[:3])
    np.savez(tmp_path / "unclear.npz", a=ROWS, b=ROWS)
    assert np.array_equal(features.load_features(tmp_path / "one.npz").array, ROWS)
    assert np.array_equal(features.load_features(tmp_path / "two.npz").array, ROWS)
    with pytest.raises(InputError, match=r"unclear\.npz holds 2 arrays"):
        features.load_features(tmp_path / "unclear.npz")


@given(st.integers(0, 9), st.integers(0, 5), st.sampled_from([np.nan, np.inf, -np.inf]))
@settings(deadline=None, max_examples=20)
def test_the_first_row_that_is_not_finite_is_named(row, column, value):
    rows = ROWS.copy()
    rows[row, column] = value
    rows[9, 0] = np.nan
    with pytest.raises(InputError, match=rf"row {row} "):
        features.load_features(rows)


def test_the_bad_row_is_found_in_a_later_block(monkeypatch):
    monkeypatch.setattr("genmem.features.feature_files.BLOCK_BYTES", 50)
    rows = ROWS.astype(np.float64)
    whole = features.load_features(rows)
    rows[7, 2] = 1e300
    with pytest.raises(InputError, match="row 7 "):
        features.load_features(rows)
    monkeypatch.undo()
    assert features.load_features(ROWS.astype(np.float64)).digest == whole.digest


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (np.zeros((3, 2), int), "int64"),
        (np.zeros(3, np.float32), r"\(3,\)"),
        (np.zeros((0, 4), np.float32), "empty"),
        (np.zeros((4, 0), np.float32), "empty"),
    ],
)
def test_what_is_no_table_of_features_is_refused(tmp_path, rows, words):
    np.save(tmp_path / "f.npy", rows)
    with pytest.raises(InputError, match=words):
        features.load_features(tmp_path / "f.npy")


def test_pickled_arrays_are_refused(tmp_path):
    np.save(tmp_path / "f.npy", np.array([[print]], dtype=object), allow_pickle=True)
    with pytest.raises(InputError, match=r"f\.npy"):
        features.load_features(tmp_path / "f.npy")


def test_a_truncated_file_is_named(tmp_path):
    path = tmp_path / "f.npy"
    np.save(path, ROWS)
    path.write_bytes(path.read_bytes()[:-7])
    with pytest.raises(InputError, match=r"f\.npy"):
        features.load_features(path)


def test_feature_sources_are_told_from_images(tmp_path):
    np.save(tmp_path / "features.npy", ROWS)
    np.save(tmp_path / "images.npy", np.zeros((2, 4, 4, 3), np.uint8))
    np.savez(tmp_path / "features.npz", ROWS)
    np.savez(tmp_path / "images.npz", np.zeros((2, 4, 4, 3), np.uint8))
    (tmp_path / "nonsense.npy").write_bytes(b"nonsense")
    assert features.is_feature_source(tmp_path / "features.npy")
    assert features.is_feature_source(str(tmp_path / "features.npz"))
    assert features.is_feature_source(ROWS)
    assert features.is_feature_source(torch.zeros(2, 3))
    for other in (
        tmp_path / "images.npy",
        tmp_path / "images.npz",
        tmp_path / "nonsense.npy",
        tmp_path / "missing.npy",
        tmp_path,
        "hf:cifar10",
        np.zeros((2, 4, 4, 3), np.uint8),
        [ROWS],
    ):
        assert not features.is_feature_source(other)
