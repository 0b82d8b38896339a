"""Equal, orthogonal and nearly equal rows: exact neighbors, at the cost of ordinary rows."""

import time

import numpy as np
import pytest
import torch

from genmem.metrics.authpct import authpct
from genmem.metrics.c_t import c_t
from genmem.metrics.prdc import prdc
from genmem.neighbors import METRICS, NearestNeighbors, count_balls, group_equal_rows, nearest

ROWS = np.random.default_rng(0).random((400, 24)).astype(np.float32)


def collinear(rows, seed=1):
    """One direction in many lengths, so that all cosines are 1 but for rounding."""
    lengths = np.random.default_rng(seed).uniform(0.5, 2, rows)
    return (lengths[:, None] * ROWS[0]).astype(np.float32)


HOSTILE = {
    "all equal": np.tile(ROWS[0], (400, 1)),
    "all zero": np.zeros((400, 24), np.float32),
    "half zero": np.where(np.arange(400)[:, None] % 2 == 0, ROWS, np.float32(0)),
    "ten distinct": ROWS[np.arange(400) % 10],
    "one direction": collinear(400),
    "one direction, some zero": np.where(
        np.arange(400)[:, None] % 50 == 0, np.float32(0), collinear(400)
    ),
    "powers of two": ROWS[0] * np.float32(2.0) ** (np.arange(400)[:, None] % 7).astype(np.float32),
    "nearly equal": ROWS[0]
    + np.random.default_rng(2).normal(0, 1e-7, (400, 24)).astype(np.float32),
    "disjoint": np.concatenate([np.zeros((400, 12), np.float32), ROWS[:, :12]], axis=1),
}


def all_distances(queries, references, metric):
    """float64 [n, m] from the definitions, without cancellation."""
    a, b = queries.astype(np.float64)[:, None], references.astype(np.float64)[None]
    if metric == "euclidean":
        return np.sqrt(((a - b) ** 2).sum(-1))
    norms = [np.sqrt((rows**2).sum(-1, keepdims=True)) for rows in (a, b)]
    u, v = (rows / np.where(norm > 0, norm, 1) for rows, norm in zip((a, b), norms, strict=True))
    cosine = (u * v).sum(-1)
    if metric == "absolute_cosine":
        v = np.where(cosine[..., None] < 0, -v, v)
    return np.where(np.abs(cosine) < 1e-30, 1.0, ((u - v) ** 2).sum(-1) / 2)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("kind", HOSTILE)
def test_hostile_sets_have_the_neighbors_of_the_definition(kind, metric):
    references = HOSTILE[kind]
    queries = np.concatenate(
        [
            HOSTILE["half zero"][:5],
            references[:40],
            collinear(5, seed=3),
            np.concatenate([ROWS[:5, :12], np.zeros((5, 12), np.float32)], axis=1),
        ]
    )
    expected = all_distances(queries, references, metric)
    for k in (1, 3):
        result = nearest(queries, references, k=k, metric=metric)
        best = np.sort(expected, axis=1)[:, :k]
        # Unit vectors have 16 digits, so that 1 − cos = 1e-16 has 8.
        assert result.distances == pytest.approx(best, rel=1e-7, abs=1e-30)
        reached = np.take_along_axis(expected, result.indices, axis=1)
        assert reached == pytest.approx(best, rel=1e-7, abs=1e-30)
        assert all(len(set(row)) == k for row in result.indices.tolist())


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("kind", ["all equal", "all zero", "half zero", "ten distinct"])
def test_ties_of_equal_rows_go_to_the_lowest_index(kind, metric):
    rows = HOSTILE[kind]
    distances = all_distances(rows, rows, metric)
    _, groups = np.unique(rows, axis=0, return_inverse=True)
    _, first = np.unique(groups, return_index=True)
    distances = distances[:, first][:, groups]  # equal rows: equal to the last digit
    np.fill_diagonal(distances, np.inf)
    order = np.argsort(distances, axis=1, kind="stable")[:, :2]
    result = nearest(rows, rows, k=2, metric=metric, exclude_self=True)
    expected = np.take_along_axis(distances, order, axis=1)
    assert result.distances == pytest.approx(expected, rel=1e-9, abs=1e-30)
    tied = expected[:, 1] == expected[:, 0]
    assert (result.indices[tied] == order[tied]).all()


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("kind", HOSTILE)
def test_parts_and_merged_searches_of_hostile_sets_are_those_of_one_pass(kind, metric):
    rows = HOSTILE[kind]
    whole = nearest(rows[:60], rows, k=2, metric=metric)
    first, second = (NearestNeighbors(rows[:60], k=2, metric=metric) for _ in range(2))
    second.update(rows[300:], offset=300)
    first.update(rows[:100])
    first.update(rows[100:300])
    first.merge(second)
    merged = first.compute()
    assert merged.distances.tobytes() == whole.distances.tobytes()
    assert merged.indices.tobytes() == whole.indices.tobytes()


def test_a_bound_of_one_of_equal_queries_does_not_cut_the_other_short():
    rows = np.concatenate([ROWS[:1], ROWS[:1], ROWS[1:9]])
    full = nearest(rows, ROWS, k=3)
    bound = np.full(10, np.inf)
    bound[0] = 0.0
    search = NearestNeighbors(rows, k=3, within=bound)
    search.update(ROWS)
    assert (search.compute().indices[1:] == full.indices[1:]).all()


@pytest.mark.parametrize("kind", HOSTILE)
def test_balls_around_hostile_centers_hold_what_they_hold_by_definition(kind):
    centers = HOSTILE[kind].astype(np.float64)
    queries = np.concatenate([centers[:30], HOSTILE["half zero"][:10]])
    distances = all_distances(queries, centers, "euclidean")
    radii = np.where(np.arange(400) % 3 == 0, 0.0, np.median(distances) * 1.001)
    expected = (distances <= radii).sum(axis=1)
    assert (count_balls(queries, centers, radii) == expected).all()


def test_equal_rows_are_grouped_by_value_in_every_precision():
    for dtype in (np.float16, np.float32, np.float64, ">f4"):
        rows = np.array([[0.0, 1], [2, 3], [-0.0, 1], [2, 3], [4, 5]], dtype=dtype)
        first, groups = group_equal_rows(rows)
        assert first.tolist() == [0, 1, 4]
        assert groups.tolist() == [0, 1, 0, 1, 2]
    assert group_equal_rows(torch.tensor([[1.0], [1.0]]))[0].tolist() == [0]


@pytest.mark.parametrize("kind", ["all equal", "all zero", "half zero", "ten distinct"])
def test_metrics_of_hostile_sets_have_their_values_by_definition(kind):
    rows = HOSTILE[kind]
    distances = all_distances(rows, rows, "euclidean")
    np.fill_diagonal(distances, np.inf)
    radii = np.sort(distances, axis=1)[:, 2]
    inside = all_distances(rows, rows, "euclidean") <= radii
    results = prdc(generated=rows, train=rows, names=["precision", "recall"])
    assert results["precision"].value == inside.any(axis=1).mean()
    assert results["recall"].value == inside.any(axis=1).mean()
    assert authpct(generated=rows, train=rows).value == 0
    assert np.isfinite(c_t(generated=rows, train=rows, test=rows).value)


def test_hostile_sets_cost_no_more_than_ordinary_ones():
    rng = np.random.default_rng(4)
    train, generated = (rng.random((rows, 512), np.float32) for rows in (2_000, 1_000))
    disjoint = np.where(np.arange(512) < 256, generated, np.float32(0))
    wide = generated[0] * rng.uniform(0.5, 2, (2_000, 1)).astype(np.float32)
    hostile = {
        "zero": (np.zeros_like(generated), train),
        "equal": (np.tile(generated[0], (1_000, 1)), np.tile(train[0], (2_000, 1))),
        "one direction": (wide[:1_000], wide[::-1].copy()),
        "disjoint": (disjoint, np.where(np.arange(512) < 256, np.float32(0), train)),
    }

    def seconds(queries, references):
        start = time.process_time()
        nearest(queries, references, k=2)
        return time.process_time() - start

    seconds(generated, train)
    ordinary = min(seconds(generated, train) for _ in range(3))
    for kind, sets in hostile.items():
        # Before: 100 to 1,000 times. The bound of 2 at full size is in docs/performance.md.
        assert min(seconds(*sets) for _ in range(2)) < 10 * ordinary, kind


def test_rows_that_agree_in_many_columns_are_not_taken_for_equal():
    rows = np.zeros((300, 1_000), np.float32)
    rows[np.arange(300), 300 + np.arange(300) % 150] = 1  # the columns compared first are mostly 0
    first, groups = group_equal_rows(rows)
    assert first.tolist() == list(range(150))
    assert groups.tolist() == list(range(150)) * 2


@pytest.mark.parametrize("metric", METRICS)
def test_ordinary_queries_resolve_references_that_are_nearly_equal(metric, monkeypatch):
    """And not by measuring every pair."""
    from genmem.neighbors import _blocked, _small

    references = HOSTILE["nearly equal"]
    expected = all_distances(ROWS[1:40], references, metric).min(axis=1)
    measured = []
    real = _blocked.pair_distances

    def counted(queries, references, rows, *others, **named):
        measured.append(len(rows))
        return real(queries, references, rows, *others, **named)

    for room in (_blocked, _small):
        monkeypatch.setattr(room, "pair_distances", counted)
    result = nearest(ROWS[1:40], references, metric=metric)
    assert result.distances[:, 0] == pytest.approx(expected, rel=1e-12)
    assert sum(measured) < 39 * 20
