import numpy as np
import pytest
from scipy.spatial.distance import cdist

from genmem.neighbors import nearest
from genmem.yardstick.series import (
    compare_series,
    count_repeats,
    left_out_distances,
    link_images,
)


def rows(rng, count, d=16):
    return rng.normal(size=(count, d))


def bursts(rng, scenes, images=5, d=16):
    return (rng.normal(size=(scenes, 1, d)) + 0.1 * rng.normal(size=(scenes, images, d))).reshape(
        -1, d
    )


def series_of(train, test):
    return compare_series(
        left_out=left_out_distances(train, metric="euclidean", seed=0),
        test_distances=np.asarray(nearest(test, train, metric="euclidean").distances)[:, 0],
        test=test,
        metric="euclidean",
    )


def test_left_out_distances_are_those_to_other_images():
    train = rows(np.random.default_rng(0), 40)
    distances = cdist(train, train)
    np.fill_diagonal(distances, np.inf)
    expected = np.sort(distances, axis=1)[:, :5]
    got = left_out_distances(train, metric="euclidean", seed=0)
    assert got.distances == pytest.approx(expected)
    assert (got.repeats, got.images) == (0, 40)


def test_of_equal_images_each_different_one_is_left_out_once():
    train = rows(np.random.default_rng(0), 40)
    repeated = np.concatenate([train, train[:5], np.repeat(train[:1], 30, axis=0)])
    got = left_out_distances(repeated, metric="euclidean", seed=0)
    expected = left_out_distances(train, metric="euclidean", seed=0)
    assert got.distances[:, 0] == pytest.approx(expected.distances[:, 0])
    assert (got.repeats, got.images) == (40, 75)
    assert count_repeats(repeated, metric="euclidean", seed=0) == (40, 75)


def test_whole_groups_are_left_out():
    train = rows(np.random.default_rng(0), 60)
    groups = np.repeat(np.arange(3), 20)
    distances = cdist(train, train)
    distances[groups[:, None] == groups] = np.inf
    expected = np.sort(distances, axis=1)[:, :5]
    got = left_out_distances(train, metric="euclidean", seed=0, groups=groups)
    assert got.distances == pytest.approx(expected)
    one = left_out_distances(train, metric="euclidean", seed=0, groups=np.zeros(60, dtype=int))
    assert len(one.distances) == 0


def test_exact_repeats_are_no_series_but_are_counted():
    """20 repeats of 2,000 once took the yardstick away."""
    for repeats in (20, 200):
        rng = np.random.default_rng(1)
        train = rows(rng, 2_000)
        train = np.concatenate([train, train[:repeats]])
        result = series_of(train, rows(rng, 1_000))
        assert not result.in_series
        assert result.repeats == pytest.approx(2 * repeats, rel=0.2)


def test_independent_images_are_no_series():
    results = [
        series_of(rows(rng, 500), rows(rng, 250)) for rng in map(np.random.default_rng, range(20))
    ]
    assert sum(result.in_series for result in results) <= 1
    assert not any(result.test_in_series for result in results)
    assert 0.4 < np.mean([result.farther for result in results]) < 0.6


def test_bursts_are_series_and_the_held_out_ones_count_as_scenes():
    for seed in range(10):
        rng = np.random.default_rng(seed)
        result = series_of(bursts(rng, 100), bursts(rng, 50))
        assert result.in_series
        assert result.train_share > 0.95
        assert result.test_in_series
        assert 45 <= result.independent <= 50


def test_images_are_linked_through_others():
    points = np.array([[0.0], [1.0], [2.0], [9.0], [9.5]])
    groups = link_images(points, within=1.0, metric="euclidean")
    assert groups.tolist() == [0, 0, 0, 1, 1]
    assert link_images(points, within=0.4, metric="euclidean").tolist() == [0, 1, 2, 3, 4]


def test_the_distances_stay_out_of_the_json():
    result = series_of(*np.random.default_rng(2).normal(size=(2, 60, 4)))
    assert len(result.left_out) == result.train == 60
    assert "left_out" not in result.to_dict()
