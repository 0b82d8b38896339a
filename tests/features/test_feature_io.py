import json

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
    result = features.load_features(tmp_path / "f.npy")
    assert isinstance(result.array, np.memmap)
    assert np.array_equal(result.array, ROWS)
    assert result.ids[3] == "000003"
    assert (len(result.ids), result.skipped, result.logits) == (10, (), None)


@pytest.mark.parametrize("dtype", ["float16", "float64", ">f4"])
def test_other_float_types_become_float32(tmp_path, dtype):
    np.save(tmp_path / "f.npy", ROWS.astype(dtype))
    result = features.load_features(tmp_path / "f.npy")
    assert result.array.dtype == np.float32
    np.testing.assert_allclose(result.array, ROWS, rtol=1e-3, atol=1e-3)


def test_an_array_in_memory_is_not_copied():
    assert features.load_features(ROWS).array is ROWS


def test_a_tensor_is_accepted():
    assert np.array_equal(features.load_features(torch.from_numpy(ROWS)).array, ROWS)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
@pytest.mark.parametrize("name", ["images", "arr_0", "x"])
def test_labels_beside_images_do_not_make_an_archive_features(tmp_path, name, dtype):
    path = tmp_path / "a.npz"
    images = np.zeros((4, 8, 8, 3), dtype)
    np.savez(path, **{name: images}, labels=np.eye(4), indices=np.eye(4, dtype=int))
    assert not features.is_feature_source(path)
    with pytest.raises(InputError, match=r"a\.npz: expected .*features"):
        features.load_features(path)
    np.savez(path, **{name: images[..., 0]}, labels=np.eye(4))
    assert not features.is_feature_source(path)


def test_features_called_so_are_taken_even_beside_images(tmp_path):
    path = tmp_path / "a.npz"
    np.savez(path, images=np.zeros((10, 8, 8, 3), np.uint8), features=ROWS)
    assert features.is_feature_source(path)
    assert np.array_equal(features.load_features(path).array, ROWS)


def test_a_table_of_whole_numbers_in_an_archive_is_not_features(tmp_path):
    np.savez(tmp_path / "a.npz", labels=np.zeros((4, 2), int))
    assert not features.is_feature_source(tmp_path / "a.npz")


def test_suffixes_count_in_any_case(tmp_path):
    np.save(tmp_path / "f.npy", ROWS)
    np.savez(tmp_path / "f.npz", ROWS)
    for suffix in ("npy", "npz"):
        path = (tmp_path / f"f.{suffix}").rename(tmp_path / f"F.{suffix.upper()}")
        assert features.is_feature_source(path)
        assert np.array_equal(features.load_features(path).array, ROWS)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_tensors_of_any_float_type_become_float32(dtype):
    tensor = torch.from_numpy(ROWS).to(dtype).requires_grad_()
    result = features.load_features(tensor)
    assert result.array.dtype == np.float32
    assert np.array_equal(result.array, tensor.detach().float().numpy())


def write_sidecar(path, **change):
    """What `genmem features` writes beside the rows."""
    sidecar = {
        "source": "images",
        "digest": "0" * 32,
        "backbone": {"name": "inception", "weights_sha256": "0" * 64},
        "skipped": ["broken.png"],
        "ids": [f"{number}.png" for number in range(10)],
    }
    path.write_text(json.dumps({**sidecar, **change}))


def test_ids_and_backbone_come_from_the_file_beside_the_rows(tmp_path):
    np.save(tmp_path / "f.npy", ROWS)
    assert features.load_features(tmp_path / "f.npy").backbone is None
    write_sidecar(tmp_path / "f.ids.json")
    result = features.load_features(str(tmp_path / "f.npy"))
    assert list(result.ids) == [f"{number}.png" for number in range(10)]
    assert result.skipped == ("broken.png",)
    assert result.backbone == {"name": "inception", "weights_sha256": "0" * 64}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"ids": ["a"] * 9}, r"f\.ids\.json: names 9 rows, but f\.npy has 10.*Delete"),
        ({"ids": [1] * 10}, r"f\.ids\.json: expected ids and skipped to be lists of text"),
        ({"skipped": None}, r"f\.ids\.json: expected ids and skipped"),
        ({"backbone": "inception"}, r"f\.ids\.json: .*backbone an object"),
    ],
)
def test_a_file_beside_the_rows_that_does_not_fit_them_is_named(tmp_path, change, words):
    np.save(tmp_path / "f.npy", ROWS)
    write_sidecar(tmp_path / "f.ids.json", **change)
    with pytest.raises(InputError, match=words):
        features.load_features(tmp_path / "f.npy")


@pytest.mark.parametrize("content", [b"", b"{", b"[]", b"{}", b"7", b"\xff", b"[" * 100_000])
def test_a_damaged_file_beside_the_rows_is_named(tmp_path, content):
    np.save(tmp_path / "f.npy", ROWS)
    (tmp_path / "f.ids.json").write_bytes(content)
    with pytest.raises(InputError, match=r"f\.ids\.json: expected what `genmem features` writes"):
        features.load_features(tmp_path / "f.npy")


def test_ids_from_a_file_cannot_write_on_the_terminal(tmp_path):
    np.save(tmp_path / "f.npy", ROWS)
    write_sidecar(tmp_path / "f.ids.json", ids=["\x1b[2J\n\ud800"] * 10)
    assert all(name.isprintable() for name in features.load_features(tmp_path / "f.npy").ids)


def test_an_archive_with_one_table_or_one_called_features_is_read(tmp_path):
    np.savez(tmp_path / "one.npz", anything=ROWS)
    np.savez(tmp_path / "two.npz", features=ROWS, other=ROWS[:3])
    assert np.array_equal(features.load_features(tmp_path / "one.npz").array, ROWS)
    assert np.array_equal(features.load_features(tmp_path / "two.npz").array, ROWS)
    for number, arrays in enumerate(({"a": ROWS, "b": ROWS}, {"anything": ROWS, "y": ROWS[0]})):
        np.savez(tmp_path / f"unclear{number}.npz", **arrays)
        with pytest.raises(InputError, match=rf"unclear{number}\.npz: expected .*got a"):
            features.load_features(tmp_path / f"unclear{number}.npz")


@given(st.integers(0, 9), st.integers(0, 5), st.sampled_from([np.nan, np.inf, -np.inf]))
@settings(deadline=None, max_examples=20)
def test_the_first_row_that_is_not_finite_is_named(row, column, value):
    rows = ROWS.copy()
    rows[row, column] = value
    rows[9, 0] = np.nan
    with pytest.raises(InputError, match=rf"row {row} "):
        features.load_features(rows)


def test_the_bad_row_is_found_in_a_later_block(monkeypatch):
    monkeypatch.setattr("genmem.features.feature_io.BLOCK_BYTES", 50)
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
