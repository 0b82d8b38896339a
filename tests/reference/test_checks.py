"""Numbers that contradict themselves are refused in one line, also where the digests are right."""

import shutil

import numpy as np
import pytest

from genmem import build_reference, open_reference, score
from genmem.errors import InputError


def put(row, column, value):
    """A change of one entry of an array."""

    def change(array):
        array[row, column] = value
        return array

    return change


def refusal(reference, features):
    """The one line with which a score against the reference is refused."""
    with pytest.raises(InputError) as caught:
        score(generated=features["generated"], train=reference.folder, metrics=["authpct"])
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("euclidean_distances", put(3, 0, np.nan), "NaN or infinity"),
        ("euclidean_distances", np.negative, "holds the negative distance"),
        ("test_cosine_distances", put(3, 0, 9.0), "the distances of row 3 do not ascend"),
        ("subset_distances", lambda array: array[:, ::-1], "do not ascend"),
        ("cosine_indices", put(3, 0, 100), "names row 100 of 100"),
        ("test_euclidean_indices", put(3, 0, -1), "names row -1 of 100"),
        ("euclidean_indices", put(3, 2, 3), "row 3 is its own neighbor"),
        ("scatter", put(1, 1, -1.0), "holds the negative variance -1"),
        ("scatter", put(2, 1, 50.0), "is not symmetric"),
        ("repeats", np.zeros_like, "from row 0, repeat an earlier one"),
        ("near_duplicates", lambda array: array[:, ::-1], "a pair does not ascend"),
    ],
)
def test_an_array_that_makes_no_sense_is_refused(reference, features, forge, name, change, message):
    forge(name, change)
    line = refusal(reference, features)
    assert f"{name}.npy: " in line
    assert message in line


@pytest.mark.parametrize("repeats", [[31, 31], [32, 31], list(range(1, 100))])
def test_repeats_ascend_and_leave_two_different_rows(reference, features, forge, repeats):
    forge("repeats", lambda _: np.array(repeats, np.int64))
    forge("manifest", lambda space: space["sizes"].update(repeats=len(repeats)))
    assert "repeats.npy: " in refusal(reference, features)


@pytest.mark.parametrize("width", [0, 1, 11])
def test_another_number_of_neighbors_is_refused(reference, features, forge, width):
    for name in ("cosine_distances", "cosine_indices"):
        forge(name, lambda array: np.resize(array, (100, width)))
    forge("manifest", lambda space: space["sizes"].update(cosine=width))
    assert "expected 10 for cosine of features" in refusal(reference, features)


@pytest.mark.parametrize(
    "values",
    [
        {"p_value": 7.0},
        {"p_value": "x"},
        {"p_value": None},
        {"size": float("nan")},
        {"differs": "perhaps"},
        {"train": 0},
    ],
    ids=str,
)
def test_a_two_sample_test_out_of_range_is_refused(reference, features, forge, values):
    forge("manifest", lambda space: space["two_sample"].update(values))
    assert "manifest.json: TwoSample is damaged" in refusal(reference, features)


def test_a_changed_array_of_the_same_size_is_refused_at_its_first_use(reference, features):
    path = reference.folder / "features" / "test_cosine_distances.npy"
    np.save(path, np.load(path) / 2)
    assert "test_cosine_distances.npy: expected SHA-256" in refusal(reference, features)


@pytest.mark.parametrize("rows_per_shard", [2**18, 30])
def test_a_damaged_copy_leaves_nothing_in_the_cache(
    tmp_path, features, monkeypatch, rows_per_shard
):
    monkeypatch.setattr("genmem.reference.contents.SHARD_ROWS", rows_per_shard)
    good = build_reference(train=features["train"], out=tmp_path / "good.genmem", dtype="float16")
    shutil.copytree(good.folder, tmp_path / "bad.genmem")
    last = sorted((tmp_path / "bad.genmem" / "features").glob("train-features-*.npy"))[-1]
    np.save(last, np.load(last)[::-1])
    bad = open_reference(tmp_path / "bad.genmem")
    assert f"{last.name}: expected SHA-256" in refusal(bad, features)
    rounded = features["train"].astype(np.float16).astype(np.float32)
    np.testing.assert_array_equal(good.space().features("train"), rounded)
    plain = score(generated=features["generated"], train=rounded)
    assert dict(score(generated=features["generated"], train=good).metrics) == dict(plain.metrics)
