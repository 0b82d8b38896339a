"""Balls that hold a query: rows along a line, which float32 cannot tell apart."""

import numpy as np
import pytest

from genmem.errors import InputError
from genmem.neighbors import _ball_pairs as room
from genmem.neighbors.balls import ball_overlap, count_balls


def line(count, dimension=64, seed=0):
    rng = np.random.default_rng(seed)
    direction = rng.random(dimension, dtype=np.float32)
    return (0.5 + rng.random((count, 1), dtype=np.float32)) * direction


def slow_counts(queries, centers, radii):
    q, c = queries.astype(np.float64), centers.astype(np.float64)
    return np.array([(np.linalg.norm(row - c, axis=1) <= radii).sum() for row in q])


def test_counts_of_rows_along_a_line_equal_the_slow_ones():
    queries, centers = line(300, seed=1), line(400, seed=1)
    gaps = np.linalg.norm(centers[:, None].astype(float) - centers[None], axis=2)
    radii = np.sort(gaps, axis=1)[:, 3]  # of the third neighbor: many are at exactly the radius
    assert np.array_equal(
        count_balls(queries, centers, radii), slow_counts(queries, centers, radii)
    )


def test_few_pairs_of_rows_along_a_line_are_measured_alone(monkeypatch):
    measured = []
    whole = room.pair_distances

    def counted(queries, centers, rows, columns, **options):
        measured.append(len(rows))
        return whole(queries, centers, rows, columns, **options)

    monkeypatch.setattr(room, "pair_distances", counted)
    queries, centers = line(500, seed=2), line(500, seed=3)
    count_balls(queries, centers, np.full(500, 2e-3))
    assert sum(measured) < 500 * 500 / 256


@pytest.mark.parametrize("dimension", [3, 257])
def test_a_query_at_exactly_the_radius_is_inside(dimension):
    centers = np.zeros((600, dimension), dtype=np.float32)
    centers[:, 0] = 1 + np.arange(600, dtype=np.float32) / 1024
    radii = np.full(600, 1 / 1024)
    assert np.array_equal(
        count_balls(centers, centers, radii), slow_counts(centers, centers, radii)
    )


@pytest.mark.parametrize("kind", ["ordinary", "repeated rows", "along a line"])
def test_one_pass_over_two_sets_says_what_their_distances_say(kind):
    rng = np.random.default_rng(5)
    # Multiples of 1/16: distances are the same in whatever order they are added up.
    queries, references = (np.round(16 * rng.normal(size=(n, 5))) / 16 for n in (90, 110))
    if kind == "repeated rows":
        queries, references = queries[rng.integers(0, 20, 90)], references[rng.integers(0, 30, 110)]
    if kind == "along a line":
        queries, references = line(90, seed=6), line(110, seed=7)
    gaps = np.linalg.norm(queries[:, None].astype(float) - references[None], axis=2)
    near, far, own = (np.quantile(gaps, q, axis=axis) for q, axis in ((0.1, 0), (0.2, 0), (0.1, 1)))
    overlap = ball_overlap(queries, references, reference_radii=[near, far], query_radii=own)
    for kind_of_ball, radii in enumerate((near, far)):
        assert np.array_equal(overlap.held_by[kind_of_ball], (gaps <= radii).sum(axis=1))
        assert np.array_equal(overlap.occupied[kind_of_ball], (gaps <= radii).any(axis=0))
    assert np.array_equal(overlap.reached, (gaps <= own[:, None]).any(axis=0))


def test_radii_of_another_set_are_refused():
    rows = np.ones((4, 3))
    with pytest.raises(InputError, match="radii"):
        ball_overlap(rows, rows[:2], reference_radii=[np.ones(4)])
    with pytest.raises(InputError, match="radii"):
        ball_overlap(rows, rows[:2], reference_radii=[np.ones(2)], query_radii=np.ones(2))
