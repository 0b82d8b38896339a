"""The blocked search equals brute force, ties go by index, near duplicates keep their digits."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from genmem.errors import InputError, UsageError
from genmem.neighbors import (
    METRICS,
    NearestNeighbors,
    _blocked,
    _blocks,
    _small,
    count_balls,
    distances,
    nearest,
    nearest_other,
)
from genmem.neighbors.float32_bound import score_scale, score_tolerance


def brute_force(queries, references, metric, *, exclude_self=False):
    """All distances in float64, straight from the definitions, one pair at a time."""
    out = np.empty((len(queries), len(references)))
    for i, a in enumerate(queries.astype(np.float64)):
        for j, b in enumerate(references.astype(np.float64)):
            if metric == "euclidean":
                out[i, j] = np.sqrt(((a - b) ** 2).sum())
                continue
            norms = np.sqrt((a * a).sum()) * np.sqrt((b * b).sum())
            cosine = (a * b).sum() / norms if norms > 0 else 0.0
            out[i, j] = 1 - (abs(cosine) if metric == "absolute_cosine" else cosine)
    if exclude_self:
        np.fill_diagonal(out, np.inf)
    return out


def check_against_brute_force(result, distances, k):
    """Same distances; the indices may differ only where brute force itself sees a tie."""
    order = np.argsort(distances, axis=1, kind="stable")[:, :k]
    expected = np.take_along_axis(distances, order, axis=1)
    assert result.distances == pytest.approx(expected, rel=1e-9, abs=1e-12)
    reached = np.take_along_axis(distances, result.indices, axis=1)
    assert reached == pytest.approx(expected, rel=1e-9, abs=1e-12)
    assert all(len(set(row)) == k for row in result.indices.tolist())


def test_the_comparer_itself_rejects_a_wrong_neighbor():
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(6, 3))
    distances = brute_force(rows, rows, "euclidean", exclude_self=True)
    result = nearest(rows, rows, metric="euclidean", exclude_self=True)
    result.indices[0] = (result.indices[0] + 1) % 6
    with pytest.raises(AssertionError):
        check_against_brute_force(result, distances, 1)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("k", [1, 2, 5])
def test_search_equals_brute_force_with_duplicates_and_near_duplicates(metric, k):
    rng = np.random.default_rng(1)
    references = rng.normal(size=(120, 17)).astype(np.float32)
    queries = rng.normal(size=(60, 17)).astype(np.float32)
    references[[5, 40, 90]] = queries[3]
    references[7] = queries[4] * np.float32(1 + 1e-6)
    references[8] = queries[5] + np.float32(1e-6)
    result = nearest(queries, references, k=k, metric=metric)
    check_against_brute_force(result, brute_force(queries, references, metric), k)


@pytest.mark.parametrize("metric", METRICS)
def test_leave_one_out_skips_the_row_itself_but_not_its_twin(metric):
    rng = np.random.default_rng(2)
    rows = rng.normal(size=(50, 8)).astype(np.float32)
    rows[30] = rows[10]
    result = nearest(rows, rows, k=3, metric=metric, exclude_self=True)
    check_against_brute_force(result, brute_force(rows, rows, metric, exclude_self=True), 3)
    assert result.indices[10, 0] == 30
    assert result.indices[30, 0] == 10
    assert result.distances[10, 0] == 0


@pytest.mark.parametrize("metric", METRICS)
def test_ties_go_to_the_lowest_index_even_among_thousands_of_copies(metric):
    rows = np.tile(np.linspace(1, 2, 12, dtype=np.float32), (3000, 1))
    result = nearest(rows[:50], rows, k=3, metric=metric)
    assert (result.indices == [0, 1, 2]).all()
    alone = nearest(rows, rows, k=2, metric=metric, exclude_self=True)
    assert alone.indices[:3].tolist() == [[1, 2], [0, 2], [0, 1]]


def test_a_near_duplicate_keeps_the_digits_that_one_minus_cosine_loses():
    rng = np.random.default_rng(3)
    query = rng.normal(size=(1, 2048))
    step = rng.normal(size=2048)
    step -= (step @ query[0]) / (query[0] @ query[0]) * query[0]
    angle = 1e-4
    step *= np.linalg.norm(query) / np.linalg.norm(step)
    turned = query * np.cos(angle) + step * np.sin(angle)
    exact = 2 * np.sin(angle / 2) ** 2  # 1 − cos(angle), without cancellation
    result = nearest(query, np.vstack([turned, rng.normal(size=(20, 2048))]))
    assert result.distances[0, 0] == pytest.approx(exact, rel=1e-6, abs=0)
    unit, turned_unit = ((v / np.linalg.norm(v)).astype(np.float32) for v in (query[0], turned[0]))
    assert 1 - unit @ turned_unit != pytest.approx(exact, rel=0.1, abs=0)


def test_absolute_cosine_sees_the_negative_of_a_row_as_its_copy_and_cosine_does_not():
    rng = np.random.default_rng(4)
    query = rng.normal(size=(1, 6))
    references = np.vstack([-query, rng.normal(size=(5, 6))])
    assert nearest(query, references, metric="absolute_cosine").indices[0, 0] == 0
    assert nearest(query, references, metric="absolute_cosine").distances[0, 0] == 0
    assert nearest(query, references, metric="cosine").indices[0, 0] != 0


def test_a_row_of_zeros_has_cosine_distance_one_to_everything():
    rows = np.array([[0.0, 0.0], [1.0, 2.0]])
    assert nearest(rows[:1], rows[1:]).distances[0, 0] == 1
    assert nearest(rows[1:], rows[:1]).distances[0, 0] == 1


@pytest.mark.parametrize("metric", METRICS)
def test_block_sizes_leave_every_byte_alone(metric, monkeypatch):
    rng = np.random.default_rng(5)
    queries, references = rng.normal(size=(90, 33)), rng.normal(size=(210, 33))
    references[::7] = references[1]
    whole = nearest(queries, references, k=4, metric=metric)
    monkeypatch.setattr(_blocks, "QUERY_BYTES", 4 * 33 * 13)
    monkeypatch.setattr(_blocks, "SCORE_BYTES", 4 * 13 * 9)
    monkeypatch.setattr(distances, "PAIR_BYTES", 8 * 33 * 5)
    small = nearest(queries, references, k=4, metric=metric)
    assert small.distances.tobytes() == whole.distances.tobytes()
    assert small.indices.tobytes() == whole.indices.tobytes()


def test_thread_count_leaves_every_byte_alone():
    rng = np.random.default_rng(6)
    queries, references = rng.normal(size=(300, 256)), rng.normal(size=(900, 256))
    threads, results = torch.get_num_threads(), []
    try:
        for number in (1, 2, 4):
            torch.set_num_threads(number)
            results.append(nearest(queries, references, k=3, metric="euclidean"))
    finally:
        torch.set_num_threads(threads)
    assert len({result.distances.tobytes() for result in results}) == 1
    assert len({result.indices.tobytes() for result in results}) == 1


@settings(max_examples=30, deadline=None)
@given(data=st.data(), metric=st.sampled_from(METRICS), k=st.integers(1, 4))
def test_row_order_and_the_way_references_arrive_change_nothing(data, metric, k):
    shape = data.draw(st.tuples(st.integers(k, 30), st.integers(1, 5)))
    # Multiples of 1/8: sums are exact, so that equal distances are equal in every order.
    values = st.integers(-24, 24).map(lambda value: value / 8)
    references = data.draw(hnp.arrays(np.float64, shape, elements=values))
    queries = data.draw(hnp.arrays(np.float64, (7, shape[1]), elements=values))
    whole = nearest(queries, references, k=k, metric=metric)

    cut = data.draw(st.integers(0, shape[0]))
    first = NearestNeighbors(queries, k=k, metric=metric)
    second = NearestNeighbors(queries, k=k, metric=metric)
    second.update(references[cut:], offset=cut)
    first.update(references[:cut])
    first.merge(second)
    merged = first.compute()
    assert merged.distances.tobytes() == whole.distances.tobytes()
    assert merged.indices.tobytes() == whole.indices.tobytes()

    order = data.draw(st.permutations(range(shape[0])))
    shuffled = nearest(queries, references[order], k=k, metric=metric)
    assert shuffled.distances == pytest.approx(whole.distances, abs=1e-12)


@settings(max_examples=20, deadline=None)
@given(scale=st.floats(1e-3, 1e3), seed=st.integers(0, 99))
def test_scaling_all_features_leaves_cosine_distances_alone(scale, seed):
    rng = np.random.default_rng(seed)
    queries, references = rng.normal(size=(9, 12)), rng.normal(size=(30, 12))
    plain = nearest(queries, references, k=2)
    scaled = nearest(queries * scale, references * scale, k=2)
    assert scaled.distances == pytest.approx(plain.distances, rel=1e-9)
    assert (scaled.indices == plain.indices).all()


def test_queries_and_references_cannot_be_swapped_unnoticed():
    queries = np.array([[0.0, 0.0], [10.0, 0.0]])
    references = np.array([[0.0, 1.0], [0.0, 3.0], [0.0, 5.0]])
    assert nearest(queries, references, metric="euclidean").distances.shape == (2, 1)
    assert nearest(references, queries, metric="euclidean").distances.shape == (3, 1)


def test_torch_tensors_give_torch_tensors_with_the_same_numbers():
    rng = np.random.default_rng(7)
    queries, references = rng.normal(size=(20, 9)), rng.normal(size=(40, 9))
    from_numpy = nearest(queries, references, k=2)
    from_torch = nearest(torch.from_numpy(queries), torch.from_numpy(references), k=2)
    assert isinstance(from_torch.distances, torch.Tensor)
    assert (from_torch.distances.numpy() == from_numpy.distances).all()
    assert (from_torch.indices.numpy() == from_numpy.indices).all()


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_memory_mapped_features_of_any_float_type_can_be_searched(tmp_path, dtype):
    rng = np.random.default_rng(8)
    rows = rng.normal(size=(64, 10)).astype(dtype)
    np.save(tmp_path / "rows.npy", rows)
    mapped = np.load(tmp_path / "rows.npy", mmap_mode="r")
    result = nearest(mapped, mapped, k=2, metric="euclidean", exclude_self=True)
    distances = brute_force(rows, rows, "euclidean", exclude_self=True)
    check_against_brute_force(result, distances, 2)


def test_too_few_references_are_named_in_the_error():
    rows = np.ones((3, 2))
    with pytest.raises(InputError, match="at least 4 references, got 3"):
        nearest(rows, rows, k=4)
    with pytest.raises(InputError, match="besides the row itself, got 2"):
        nearest(rows, rows, k=3, exclude_self=True)


def test_features_of_two_backbones_are_refused():
    with pytest.raises(InputError, match="differ in feature dimension"):
        nearest(np.ones((2, 3)), np.ones((2, 4)))


def test_an_unknown_metric_is_refused_by_name():
    with pytest.raises(UsageError, match="manhattan"):
        nearest(np.ones((2, 3)), np.ones((2, 3)), metric="manhattan")  # type: ignore[arg-type]


@pytest.mark.parametrize("seed", range(5))
def test_ball_counts_equal_brute_force_also_on_the_boundary(seed, monkeypatch):
    rng = np.random.default_rng(seed)
    centers = rng.integers(-4, 5, size=(80, 3)).astype(np.float64)
    queries = rng.integers(-4, 5, size=(50, 3)).astype(np.float64)
    radii = brute_force(centers, centers, "euclidean", exclude_self=True).min(axis=1)
    expected = (brute_force(queries, centers, "euclidean") <= radii).sum(axis=1)
    assert (count_balls(queries, centers, radii) == expected).all()
    monkeypatch.setattr(_blocks, "QUERY_BYTES", 4 * 3 * 7)
    monkeypatch.setattr(_blocks, "SCORE_BYTES", 4 * 7 * 5)
    assert (count_balls(queries, centers, radii) == expected).all()


@pytest.mark.parametrize("factor", [1e20, 1e-30])
@pytest.mark.parametrize("metric", METRICS)
def test_norms_that_float32_cannot_square_are_refused_and_not_searched_wrongly(factor, metric):
    rows = np.random.default_rng(9).normal(size=(6, 4))
    with pytest.raises(InputError, match="norm"):
        nearest(rows, np.vstack([rows, rows[2:3] * factor]), metric=metric)


def test_rows_that_are_not_finite_are_refused_before_the_search():
    rows = np.ones((4, 3))
    rows[2, 1] = np.nan
    with pytest.raises(InputError, match="references: row 2"):
        nearest(np.ones((2, 3)), rows)
    with pytest.raises(InputError, match="got list"):
        nearest([[1.0]], rows)


def test_ball_counts_refuse_radii_that_do_not_match_the_centers():
    with pytest.raises(InputError, match="radii"):
        count_balls(np.ones((2, 3)), np.ones((4, 3)), np.ones(3))


@given(st.integers(0, 9_999), st.integers(1, 4), st.sampled_from(METRICS))
@settings(deadline=None, max_examples=60)
def test_a_bound_loses_no_neighbor_within_it(seed, k, metric):
    rng = np.random.default_rng(seed)
    queries, references = rng.normal(size=(9, 6)), rng.normal(size=(30, 6))
    full = nearest(queries, references, k=k, metric=metric)
    bounds = rng.permutation(full.distances[:, -1])
    search = NearestNeighbors(queries, k=k, metric=metric, within=bounds)
    for start in range(0, 30, 7):
        search.update(references[start : start + 7])
    result = search.compute()
    inside = full.distances <= bounds[:, None]
    assert (result.indices[inside] == full.indices[inside]).all()
    assert (result.distances[inside] == full.distances[inside]).all()


def test_one_bound_a_query_is_wanted():
    with pytest.raises(UsageError, match="for each of 3 queries"):
        NearestNeighbors(np.eye(3), within=np.ones(2))


@pytest.mark.parametrize("metric", METRICS)
def test_the_nearest_other_row_is_that_of_brute_force_for_all_rows_and_for_some(metric):
    rows = np.random.default_rng(4).normal(size=(9, 5))
    rows[7] = rows[2]  # twins: the other one is at 0
    expected = brute_force(rows, rows, metric, exclude_self=True).min(axis=1)
    assert nearest_other(rows, metric=metric) == pytest.approx(expected, abs=1e-12)
    some = np.array([2, 4, 8])
    assert nearest_other(rows, some, metric=metric) == pytest.approx(expected[some], abs=1e-12)


@pytest.mark.parametrize("dimension", [300, 384, 2048, 50_000])
@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_scores_of_rows_of_few_values_are_within_the_float32_bound(dimension, metric):
    random, cpu = np.random.default_rng(0), torch.device("cpu")
    flat = np.repeat(random.random((24, 1)), dimension, axis=1)
    stripes = np.repeat(random.random((24, 4)), -(-dimension // 4), axis=1)[:, :dimension]
    rows = np.concatenate([flat, stripes]).astype(np.float32)
    block = _blocks.load_block(rows, slice(0, 48), metric=metric, device=cpu)
    buffer = _blocks.score_buffer(48, 48, device=cpu)
    scores = _blocks.scores_of(block, block, metric, buffer).numpy()
    exact = rows.astype(np.float64)
    if metric == "cosine":
        exact /= np.linalg.norm(exact, axis=1, keepdims=True)
    expected = exact @ exact.T
    if metric == "euclidean":
        expected -= (exact**2).sum(axis=1) / 2
    allowed = score_tolerance(dimension) * score_scale(block, block, metric).numpy()
    assert (np.abs(scores - expected) <= allowed[:, None]).all()


def test_the_nearest_of_large_flat_images_is_that_of_float64():
    random, dimension = np.random.default_rng(0), 3 * 512 * 512
    for value in np.array([0.5971511602401733, 0.2714328169822693], np.float32):
        queries = np.full((1, dimension), value)
        queries[:, :5] = random.random(5)
        noisy = np.full((4, dimension), value) * (1 + 0.02 * random.random((4, dimension)))
        flat = np.full((4, dimension), value)
        flat[:, :3] = random.random((4, 3))
        references = np.concatenate([noisy, flat]).astype(np.float32)
        distances = brute_force(queries, references, "cosine")
        result = nearest(queries, references)
        assert result.indices[0, 0] == distances[0].argmin()


def test_ball_counts_are_exact_under_autocast_and_with_many_equal_balls():
    random = np.random.default_rng(0)
    queries = torch.from_numpy(random.normal(size=(100, 64)))
    centers = torch.from_numpy(random.normal(size=(200, 64)))
    centers = torch.cat([centers, centers[:1].repeat(1027, 1)])
    radii = torch.full((1227,), 11.0, dtype=torch.float64)
    expected = (torch.cdist(queries, centers) <= 11).sum(dim=1)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert torch.equal(count_balls(queries, centers, radii), expected)


def test_a_search_that_leaves_nothing_out_cannot_be_merged_into_leave_one_out():
    rows = np.random.default_rng(0).normal(size=(20, 3))
    leave_one_out = NearestNeighbors(rows, exclude_self=True)
    leave_one_out.update(rows[10:], offset=10)
    plain = NearestNeighbors(rows)
    plain.update(rows[:10])
    with pytest.raises(UsageError, match="exclude_self"):
        leave_one_out.merge(plain)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("signed", [True, False])
def test_a_set_searched_in_itself_has_the_neighbors_of_a_search_without_the_row(
    metric, signed, monkeypatch
):
    """In blocks small enough that pairs are met within a block, across blocks, and turned."""
    rng = np.random.default_rng(8)
    rows = rng.normal(size=(97, 40)).astype(np.float32)
    rows = rows if signed else np.maximum(rows, 0)
    rows[:, 20:] *= rng.random((97, 1)) < 0.7  # of unequal norms; some rows share few columns
    monkeypatch.setattr(_blocked, "query_rows", lambda dimension, device: 40)
    monkeypatch.setattr(_blocked, "reference_rows", lambda queries, dimension, device: 15)
    result = nearest(rows, rows, k=4, metric=metric, exclude_self=True)
    for row in range(len(rows)):
        others = np.delete(np.arange(len(rows)), row)
        alone = nearest(rows[row : row + 1], rows[others], k=4, metric=metric)
        assert result.distances[row].tobytes() == alone.distances[0].tobytes()
        assert result.indices[row].tolist() == others[alone.indices[0]].tolist()


def test_a_mapped_file_is_compared_part_by_part_with_all_queries(tmp_path, monkeypatch):
    rng = np.random.default_rng(3)
    rows = rng.normal(size=(500, 8)).astype(np.float32)
    queries = np.concatenate([rows[::10], rng.normal(size=(50, 8)).astype(np.float32)])
    expected = nearest(queries, rows, k=3)
    np.save(tmp_path / "rows.npy", rows)
    monkeypatch.setattr(_blocks, "MAXIMUM_QUERY_ROWS", 30)
    monkeypatch.setattr("genmem.neighbors.exact.PART_BYTES", 64 * 8 * 4)
    monkeypatch.setattr(_small, "PAIRS", 0)
    searched = []
    search = _blocked.search_blocks

    def record(states, references, first, **options):
        searched.append((first, len(references)))
        search(states, references, first, **options)

    monkeypatch.setattr(_blocked, "search_blocks", record)
    result = nearest(queries, np.load(tmp_path / "rows.npy", mmap_mode="r"), k=3)
    assert result.distances.tobytes() == expected.distances.tobytes()
    assert result.indices.tobytes() == expected.indices.tobytes()
    parts = [(start, min(64, 500 - start)) for start in range(0, 500, 64)]
    assert searched == parts


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("cuts", [[3], [2, 4], [1, 2, 3, 4, 5]])
def test_leave_one_out_over_parts_is_that_of_the_whole_set(metric, cuts):
    """Also where a part has as many rows as the set has different ones."""
    rows = np.array([[0.0, 1], [0, 1], [0, 1], [1, 0], [5, 2], [5, 2]])
    whole = nearest(rows, rows, k=1, metric=metric, exclude_self=True)
    bounds = [0, *cuts, len(rows)]
    parts = list(pairwise(bounds))
    for order in (parts, parts[::-1]):
        search = NearestNeighbors(rows, k=1, metric=metric, exclude_self=True)
        for start, stop in order:
            search.update(rows[start:stop], offset=start)
        assert search.compute().indices.tolist() == whole.indices.tolist()
        assert search.compute().distances.tobytes() == whole.distances.tobytes()


def test_candidates_do_not_change_with_the_search_they_came_from():
    rows = np.random.default_rng(9).normal(size=(20, 4))
    search = NearestNeighbors(rows[:5], k=2)
    search.update(rows[5:12])
    candidates = search.candidates()
    before = candidates.distances.copy()
    search.update(rows[12:])
    assert (candidates.distances == before).all()
