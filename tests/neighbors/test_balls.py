"""Balls that hold a query: rows along a line, which float32 cannot tell apart."""

import numpy as np
import pytest

from genmem.neighbors import balls as room
from genmem.neighbors.balls import count_balls


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
