"""Searches by float64, float32 or bfloat16 products, alone or together, give the same bits."""

import subprocess
import sys

import numpy as np
import pytest
import torch

from genmem.errors import InputError
from genmem.neighbors import METRICS, NearestNeighbors, _blocked, _blocks, _small, exact, nearest
from genmem.neighbors.distances import pair_distances, unit_rows
from genmem.neighbors.float32_bound import score_errors

RNG = np.random.default_rng(11)
REFERENCES = RNG.gamma(2.0, size=(700, 48)).astype(np.float32)
QUERIES = np.concatenate([REFERENCES[::9] * 1.001, RNG.gamma(2.0, size=(90, 48))]).astype(
    np.float32
)
QUERIES[5], REFERENCES[400:404] = 0, REFERENCES[7]


def same(first, second):
    return (
        first.distances.tobytes() == second.distances.tobytes()
        and first.indices.tobytes() == second.indices.tobytes()
    )


@pytest.fixture
def rounding(monkeypatch):
    """Rows are rounded to bfloat16, whatever this CPU does fast, and compared in small blocks."""
    monkeypatch.setattr(_small, "PAIRS", 0)
    monkeypatch.setattr(_blocks, "SCORE_BYTES", 4 * 90 * 50)
    monkeypatch.setattr(_blocks, "QUERY_BYTES", 4 * 48 * 90)
    monkeypatch.setattr(_blocked, "worth_rounding", lambda device, products: True)


def brute_force(queries, references, k, metric, *, leave_out=False):
    """Every pair measured, and sorted by distance and index."""
    rows, columns = (place.ravel() for place in np.indices((len(queries), len(references))))
    distances = pair_distances(queries, references, rows, columns, metric=metric)
    distances = distances.reshape(len(queries), -1)
    if leave_out:
        np.fill_diagonal(distances, np.inf)
    indices = np.argsort(distances, axis=1, kind="stable")[:, :k]
    return exact.Nearest(np.take_along_axis(distances, indices, axis=1), indices)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("k", [1, 5])
def test_rows_rounded_to_bfloat16_propose_the_same_neighbors(rounding, metric, k):
    expected = brute_force(QUERIES, REFERENCES, k, metric)
    assert same(nearest(QUERIES, REFERENCES, k=k, metric=metric), expected)
    different = np.delete(REFERENCES, slice(400, 404), axis=0)
    expected = brute_force(different, different, k, metric, leave_out=True)
    assert same(nearest(different, different, k=k, metric=metric, exclude_self=True), expected)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("pairs", [0, 2**30])
def test_small_searches_have_the_bits_of_large_ones(metric, pairs, monkeypatch):
    monkeypatch.setattr(_small, "PAIRS", pairs)
    expected = brute_force(QUERIES, REFERENCES, 4, metric)
    assert same(nearest(QUERIES, REFERENCES, k=4, metric=metric), expected)


def test_where_rounding_leaves_too_many_candidates_float32_finds_them(rounding, monkeypatch):
    monkeypatch.setattr(_blocked, "center_of", lambda *_, **__: None)
    tight = (100 + RNG.normal(size=(600, 48))).astype(np.float32)
    expected = nearest(tight[:50].astype(np.float64), tight, k=3, metric="euclidean")
    searches = []
    run = _blocked._BlockedSearch.run

    def record(self, **options):
        run(self, **options)
        searches.append((self.rounds, self.gave_up))

    monkeypatch.setattr(_blocked._BlockedSearch, "run", record)
    monkeypatch.setattr(_blocked, "_CANDIDATES", 10**9)
    result = nearest(tight[:50], tight, k=3, metric="euclidean")
    assert searches == [(True, True), (False, False)]
    assert (result.indices == expected.indices).all()


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_the_error_of_rounded_scores_is_within_its_bound(metric):
    cpu = torch.device("cpu")
    blocks = [
        _blocks.rounded(_blocks.load_block(rows, slice(0, 60), metric=metric, device=cpu))
        for rows in (QUERIES, REFERENCES)
    ]
    buffer = _blocks.score_buffer(60, 60, device=cpu)
    short = torch.empty_like(buffer, dtype=torch.bfloat16)
    scores = _blocks.scores_of(*blocks, metric, buffer, short=short).numpy()
    q, r = QUERIES[:60].astype(np.float64), REFERENCES[:60].astype(np.float64)
    if metric == "cosine":
        exact_scores = unit_rows(q) @ unit_rows(r).T
    else:
        exact_scores = q @ r.T - (r**2).sum(axis=1) / 2
    allowed = score_errors(*blocks, metric).numpy()
    errors = np.abs(scores - exact_scores)
    assert (errors <= allowed[:, None]).all()
    assert errors.max() > 1e-4  # so the rounding was there


def test_the_bound_covers_the_rounding_of_a_product_halfway_between_bfloat16_numbers():
    """1 + 255/65536 is rounded to 1; rows that bfloat16 holds lose nothing else."""
    cpu = torch.device("cpu")
    query, reference = np.float32([[1, 255 / 65536]]), np.float32([[1, 1]])
    blocks = [
        _blocks.rounded(_blocks.load_block(rows, slice(0, 1), metric="euclidean", device=cpu))
        for rows in (query, reference)
    ]
    assert [float(block.errors) for block in blocks] == [0, 0]
    buffer = _blocks.score_buffer(1, 1, device=cpu)
    score = _blocks.scores_of(*blocks, "euclidean", buffer, short=buffer.to(torch.bfloat16))
    assert score.item() == 0  # 1 − ‖reference‖²/2
    assert 255 / 65536 < score_errors(*blocks, "euclidean").item() < 0.01


@pytest.mark.parametrize("rounds", [False, True])
@pytest.mark.parametrize("others", ["absolute_cosine", "cosine"])
def test_two_distances_at_one_product_are_those_of_two_searches(
    rounding, monkeypatch, rounds, others
):
    monkeypatch.setattr(_blocked, "worth_rounding", lambda device, products: rounds)
    queries = QUERIES - np.float32(others == "cosine")
    products = []
    for name in ("products_of", "scores_of"):
        multiply = getattr(_blocked, name)
        monkeypatch.setattr(
            _blocked, name, lambda *blocks, to=multiply: products.append(0) or to(*blocks)
        )
    kinds = [{"k": 5, "metric": others}, {"k": 2, "metric": "euclidean"}]
    expected = [nearest(queries, REFERENCES, **kind) for kind in kinds]
    apart = len(products)
    searches = [NearestNeighbors(queries, **kind) for kind in kinds]
    exact.update_together([searches[0], searches[1]], REFERENCES[:300])
    exact.update_together([searches[0], searches[1]], REFERENCES[300:])
    assert len(products) - apart < 0.7 * apart
    # The queries are one array in both searches, as they must be.
    assert searches[0].queries is searches[1].queries
    for search, result in zip(searches, expected, strict=True):
        assert same(search.compute(), result)


@pytest.mark.parametrize("pairs", [0, 2**30])
def test_rows_of_one_direction_are_ordered_as_they_are_measured(pairs, monkeypatch):
    """Their distances are rounding errors of unit rows, which centred rows have, too."""
    monkeypatch.setattr(_small, "PAIRS", pairs)
    direction = RNG.normal(size=7)
    queries, references = (
        direction * RNG.integers(1, 9_999, size=(count, 1)) for count in (20, 300)
    )
    expected = brute_force(queries, references, 3, "cosine")
    assert same(nearest(queries, references, k=3, metric="cosine"), expected)


@pytest.mark.parametrize("pairs", [0, 2**30])
@pytest.mark.parametrize("size", [1e-200, 1e200])
def test_rows_too_small_or_large_to_be_squared_are_refused(pairs, size, monkeypatch):
    monkeypatch.setattr(_small, "PAIRS", pairs)
    with pytest.raises(InputError, match="row 2 has a norm"):
        nearest(np.ones((2, 4)), np.float64([[1.0] * 4, [0.0] * 4, [size] * 4]))


def test_small_arrays_are_searched_without_torch():
    program = (
        "import sys, numpy as np\n"
        "from genmem.neighbors import ball_overlap, nearest\n"
        "rows = np.random.default_rng(0).normal(size=(60, 5))\n"
        "nearest(rows, rows, k=3, exclude_self=True)\n"
        "ball_overlap(rows, rows, reference_radii=[np.ones(60)], query_radii=np.ones(60))\n"
        "print('torch' in sys.modules)"
    )
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert result.stdout.strip() == "False"
