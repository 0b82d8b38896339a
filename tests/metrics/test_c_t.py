import json
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from genmem.errors import InputError, UsageError
from genmem.metrics import kmeans_cells
from genmem.metrics.c_t import c_t, c_t_from_distances
from genmem.results import Result


def rows(count: int, dimension: int = 6, *, seed: int = 0) -> np.ndarray:
    """Rows around three well separated centres, taken in turn."""
    random = np.random.default_rng(seed)
    centres = 20.0 * np.eye(3, dimension)
    return random.standard_normal((count, dimension)) + centres[np.arange(count) % 3]


def sets(m: int = 150, n: int = 120, size: int = 200, **kwargs) -> dict[str, np.ndarray]:
    return {
        "generated": rows(m, seed=1, **kwargs),
        "train": rows(size, seed=2, **kwargs),
        "test": rows(n, seed=3, **kwargs),
    }


def slow_distance(x: np.ndarray, train: np.ndarray, metric: str) -> float:
    if metric == "euclidean":
        return min(math.dist(x, t) for t in train)
    return min(1 - float(x @ t) / (np.linalg.norm(x) * np.linalg.norm(t)) for t in train)


def slow_z(generated, test) -> float:
    """Z_U from the formula, pairs counted in a loop."""
    m, n = len(generated), len(test)
    U = sum(1.0 if g > t else 0.5 if g == t else 0.0 for g in generated for t in test)
    pooled = [*generated, *test]
    tied = sum(pooled.count(v) ** 3 - pooled.count(v) for v in set(pooled))
    deviation = math.sqrt(n * m / 12 * (n + m + 1 - tied / ((n + m) * (n + m - 1))))
    return (U - (n * m / 2 - 0.5)) / deviation


def slow_c_t(generated, train, test, cell_of, cells: int, metric: str) -> float:
    """The weighted mean over cells, each cell's rows picked in a loop."""
    total = weight = 0.0
    for cell in range(cells):
        g, t, p = ([x for x in s if cell_of(x) == cell] for s in (generated, train, test))
        if len(g) / len(generated) <= 20 / len(generated) or not p:
            continue
        near = [[slow_distance(x, np.array(t), metric) for x in s] for s in (g, p)]
        total += len(p) / len(test) * slow_z(*near)
        weight += len(p) / len(test)
    return total / weight


def blob_of(x: np.ndarray) -> int:
    return int(np.argmax(x[:3]))


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_the_global_test_equals_a_slow_one(metric):
    arrays = sets(60, 50, 40)
    near = [
        [slow_distance(x, arrays["train"], metric) for x in arrays[r]]
        for r in ("generated", "test")
    ]
    result = c_t(**arrays, metric=metric)
    assert result.value == pytest.approx(slow_z(*near), rel=1e-9)
    assert result.n == {"generated": 60, "train": 40, "test": 50}


@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_cells_equal_a_slow_partition_and_mean(metric):
    arrays = sets()
    arrays["test"] = arrays["test"][: len(arrays["test"]) - 30]
    result = c_t(**arrays, cells=3, metric=metric)
    slow = slow_c_t(**arrays, cell_of=blob_of, cells=3, metric=metric)
    assert result.value == pytest.approx(slow, rel=1e-9)
    table = result.parts["cells"]
    assert sum(row["train"] for row in table) == 200
    assert sum(row["test"] for row in table) == 90
    assert sorted(row["generated"] for row in table) == [50, 50, 50]
    assert all(row["used"] for row in table)
    json.dumps(result.to_dict(), allow_nan=False)


values = st.lists(st.sampled_from([0.0, 0.1, 0.1, 0.25, 1.0, 3.0]), min_size=1, max_size=25)


@settings(deadline=None)
@given(generated=values, test=values)
def test_ties_are_counted_by_half_and_corrected_for(generated: list[float], test: list[float]):
    result = c_t_from_distances(generated=np.array(generated), test=np.array(test))
    if len({*generated, *test}) == 1:
        assert result.value == 0.0
    else:
        assert result.value == pytest.approx(slow_z(generated, test), rel=1e-9, abs=1e-12)


def test_the_z_score_agrees_with_scipys_mann_whitney_test():
    from scipy.stats import mannwhitneyu, norm

    random = np.random.default_rng(0)
    generated, test = random.random(80).round(1), random.random(70).round(1) + 0.1
    z = float(c_t_from_distances(generated=generated, test=test))
    found = mannwhitneyu(generated, test, alternative="less", method="asymptotic")
    # scipy's continuity correction goes the same way for "less": U + 0.5.
    assert norm.cdf(z) == pytest.approx(found.pvalue, rel=1e-9)


def test_distances_from_a_shared_search_give_the_same_result():
    arrays = sets()
    from genmem.neighbors import nearest

    near = {
        role: nearest(arrays[role], arrays["train"], metric="euclidean").distances[:, 0]
        for role in ("generated", "test")
    }
    shared = c_t_from_distances(**near, train_rows=200)
    direct = c_t(**arrays)
    assert shared.value == direct.value
    assert shared.parts["cells"] == direct.parts["cells"]
    assert dict(shared.n) == dict(direct.n)


def test_copies_score_far_below_zero_and_noise_far_above():
    arrays = sets()
    copies = arrays | {"generated": arrays["train"][:150] + 1e-6}
    noise = arrays | {"generated": arrays["generated"] * 2}
    for cells in (None, 3):
        assert float(c_t(**copies, cells=cells)) < -5
        assert float(c_t(**noise, cells=cells)) > 5
        assert abs(float(c_t(**arrays, cells=cells))) < 3


@pytest.mark.parametrize(
    ("one", "other"), [("generated", "train"), ("generated", "test"), ("test", "train")]
)
def test_swapping_any_two_sets_changes_the_value(one: str, other: str):
    arrays = sets()
    arrays["generated"] = arrays["train"][:150] + 0.1 * rows(150, seed=9)
    swapped = arrays | {one: arrays[other], other: arrays[one]}
    assert float(c_t(**arrays)) != pytest.approx(float(c_t(**swapped)), rel=0.01)


def test_equal_generated_and_test_sets_score_a_continuity_correction_above_zero():
    arrays = sets()
    arrays["generated"] = arrays["test"]
    assert 0 < float(c_t(**arrays)) < 1e-2


def test_a_cell_with_twenty_generated_rows_is_left_out_and_said():
    arrays = sets()
    blobs = np.array([blob_of(x) for x in arrays["generated"]])
    for kept, used in ((20, False), (21, True)):
        few = np.flatnonzero(blobs == 2)[:kept]
        generated = np.concatenate([arrays["generated"][blobs != 2], arrays["generated"][few]])
        result = c_t(**(arrays | {"generated": generated}), cells=3)
        row = next(row for row in result.parts["cells"] if row["generated"] == kept)
        assert row["used"] is used
        assert row["z"] is not None
        assert bool(result.notes) is not used
    slow = slow_c_t(
        **(arrays | {"generated": generated}), cell_of=blob_of, cells=3, metric="euclidean"
    )
    assert result.value == pytest.approx(slow, rel=1e-9)


@pytest.mark.parametrize("missing", ["generated", "test"])
def test_a_cell_without_rows_leaves_the_other_cells_in_place(missing: str):
    arrays = sets()
    blobs = np.array([blob_of(x) for x in arrays[missing]])
    arrays[missing] = arrays[missing][blobs != 0]
    result = c_t(**arrays, cells=3)
    slow = slow_c_t(**arrays, cell_of=blob_of, cells=3, metric="euclidean")
    assert result.value == pytest.approx(slow, rel=1e-9)
    empty = [row for row in result.parts["cells"] if row[missing] == 0]
    assert [row["z"] for row in empty] == [None]
    assert "1 of 3 cells" in result.notes[0]


def test_nothing_to_score_is_nan_with_a_note_and_null_in_json():
    arrays = sets(m=30)
    result = c_t(**arrays, cells=3)
    assert math.isnan(result.value)
    assert any("not defined" in note for note in result.notes)
    assert json.loads(json.dumps(result.to_dict(), allow_nan=False))["value"] is None


def labels_of(arrays: dict[str, np.ndarray]) -> dict[str, list[int]]:
    return {role: [blob_of(x) for x in array] for role, array in arrays.items()}


def test_per_class_is_the_mean_over_classes_each_against_its_own_training_rows():
    arrays = sets()
    labels = labels_of(arrays)
    result = c_t(**arrays, categories=labels, metric="cosine")
    expected = {}
    for category in range(3):
        chosen = {role: arrays[role][np.array(labels[role]) == category] for role in arrays}
        expected[str(category)] = float(c_t(**chosen, metric="cosine"))
    assert result.parts["categories"] == expected
    assert result.value == pytest.approx(np.mean(list(expected.values())))
    assert [row["category"] for row in result.parts["cells"]] == ["0", "1", "2"]


def test_per_class_with_cells_and_components_makes_cells_in_each_class():
    arrays = sets(300, 240, 400)
    result = c_t(**arrays, categories=labels_of(arrays), cells=2, pca=3, metric="cosine", seed=4)
    assert [row["cell"] for row in result.parts["cells"]] == [0, 1] * 3
    assert np.isfinite(result.value)
    assert result.seed == 4


def test_a_class_without_generated_rows_is_left_out_and_said():
    arrays = sets()
    arrays["generated"] = arrays["generated"][[blob_of(x) != 1 for x in arrays["generated"]]]
    result = c_t(**arrays, categories=labels_of(arrays))
    assert result.parts["categories"]["1"] is None
    assert "'1' was left out" in result.notes[0]
    assert np.isfinite(result.value)


def test_euclidean_components_equal_projecting_by_hand():
    arrays = sets()
    mean = arrays["train"].mean(0)
    _, _, axes = np.linalg.svd(arrays["train"] - mean, full_matrices=False)
    projected = {role: (array - mean) @ axes[:2].T for role, array in arrays.items()}
    by_hand = slow_z(
        *(
            [slow_distance(x, projected["train"], "euclidean") for x in projected[r]]
            for r in ("generated", "test")
        )
    )
    assert float(c_t(**arrays, pca=2)) == pytest.approx(by_hand, abs=1e-3)


def test_cosine_distances_stay_in_the_features_as_given():
    arrays = sets()
    plain, reduced = (c_t(**arrays, cells=3, pca=pca, metric="cosine") for pca in (None, 2))
    assert reduced.value == pytest.approx(plain.value, rel=1e-9)


def test_the_same_seed_gives_the_same_cells(monkeypatch: pytest.MonkeyPatch):
    arrays = sets()
    first: Result = c_t(**arrays, cells=7, seed=1)
    assert first.to_dict() == c_t(**arrays, cells=7, seed=1).to_dict()
    assert first.to_dict() != c_t(**arrays, cells=7, seed=2).to_dict()
    monkeypatch.setattr(kmeans_cells, "_ROWS_FOR_CENTRES", 100)
    assert float(c_t(**arrays, cells=3)) == pytest.approx(
        slow_c_t(**arrays, cell_of=blob_of, cells=3, metric="euclidean"), rel=1e-9
    )


def test_duplicated_training_rows_leave_cells_empty_without_a_warning():
    arrays = sets()
    arrays["train"] = np.repeat(rows(3, seed=5), 20, axis=0)
    result = c_t(**arrays, cells=5)
    assert sorted(row["train"] for row in result.parts["cells"]) == [0, 0, 20, 20, 20]
    assert np.isfinite(result.value)


def test_tensors_give_what_arrays_give():
    arrays = sets()
    tensors = {role: torch.from_numpy(array) for role, array in arrays.items()}
    for options in ({}, {"cells": 3}, {"cells": 3, "pca": 2}, {"categories": labels_of(arrays)}):
        assert c_t(**tensors, **options).to_dict() == c_t(**arrays, **options).to_dict()


def test_bad_input_is_refused_in_words():
    arrays = sets()
    labels = labels_of(arrays)
    with pytest.raises(UsageError, match="cells: expected between 1 and the 200 training rows"):
        c_t(**arrays, cells=201)
    with pytest.raises(UsageError, match="category '0': cells"):
        c_t(**arrays, categories=labels, cells=100)
    with pytest.raises(UsageError, match="pca: expected between 1 and 6"):
        c_t(**arrays, pca=7)
    with pytest.raises(UsageError, match="only affects the cells"):
        c_t(**arrays, pca=2, metric="cosine")
    with pytest.raises(UsageError, match="metric"):
        c_t(**arrays, metric="manhattan")  # pyright: ignore[reportArgumentType]
    with pytest.raises(
        InputError, match="categories of test: expected one label for each of the 120 rows"
    ):
        c_t(**arrays, categories=labels | {"test": [0]})
    with pytest.raises(InputError, match="generated has rows of '7'"):
        c_t(**arrays, categories=labels | {"generated": [7] * 150})
    with pytest.raises(InputError, match="labels for generated, train and test"):
        c_t(**arrays, categories={"train": labels["train"]})
    with pytest.raises(InputError, match="finite distance for each row"):
        c_t_from_distances(generated=np.array([np.nan]), test=np.array([1.0]))
