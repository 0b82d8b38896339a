"""Geometric verification on synthetic keypoints: the number of false alarms, and the models."""

from math import comb, log10, pi

import numpy as np
import pytest

from genmem.auditing.local.keypoints import Keypoints
from genmem.auditing.local.verification import (
    MAX_ERROR,
    SHORT_SIDE,
    SMALLEST_ERROR,
    _evidence,
    verify,
)

SIDE = 256


def expected_evidence(errors, area, sample):
    """The formula, term by term."""
    n, best = len(errors), 0.0
    for k in range(sample + 1, n + 1):
        error = max(sorted(errors)[k - 1], SMALLEST_ERROR)
        if error > MAX_ERROR * SHORT_SIDE:
            break
        false_alarms = log10((n - sample) * comb(n, k) * comb(k, sample))
        best = max(best, -(false_alarms + (k - sample) * log10(pi * error**2 / area)))
    return best


@pytest.mark.parametrize("sample", [1, 2, 3])
def test_the_evidence_is_that_of_the_formula(sample):
    rng = np.random.default_rng(sample)
    for _ in range(20):
        errors = np.abs(rng.normal(0, rng.uniform(1, 20), (3, int(rng.integers(4, 30)))))
        evidence, members = _evidence(errors, 60_000.0, sample)
        expected = [expected_evidence(row.tolist(), 60_000.0, sample) for row in errors]
        np.testing.assert_allclose(evidence, expected, rtol=1e-9, atol=1e-9)
        assert (members.sum(axis=1)[evidence > 0] > sample).all()


def random_keypoints(rng, count):
    points = np.column_stack(
        [
            rng.uniform(0, SIDE, (count, 2)),
            rng.uniform(3, 20, count),
            rng.uniform(-np.pi, np.pi, count),
        ]
    )
    descriptors = rng.integers(0, 100, (count, 128)).astype(np.uint8)
    return Keypoints(points.astype(np.float32), descriptors, SIDE, SIDE)


def moved(keypoints, matrix, shift, *, angle=0.0, scale=1.0):
    points = keypoints.points.astype(np.float64)
    points[:, :2] = points[:, :2] @ np.asarray(matrix).T + shift
    points[:, 2] *= scale
    points[:, 3] += angle
    return Keypoints(points.astype(np.float32), keypoints.descriptors, SIDE, SIDE)


def no_background(keypoints):
    return np.full(len(keypoints.points), 1e9, np.float32)


def rotation(angle, scale):
    return scale * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


@pytest.mark.parametrize(
    ("matrix", "angle", "scale"),
    [
        (rotation(0.0, 1.0), 0.0, 1.0),
        (rotation(np.pi / 2, 1.0), np.pi / 2, 1.0),
        (rotation(0.3, 0.5), 0.3, 0.5),
        (np.diag([1.0, 0.45]), 0.0, 0.7),
        (np.array([[1.0, 0.15], [0.05, 0.9]]), 0.0, 0.95),
    ],
    ids=["same", "quarter turn", "turned and reduced", "squeezed", "sheared"],
)
def test_the_model_of_a_moved_image_is_recovered_among_wrong_matches(matrix, angle, scale):
    rng = np.random.default_rng(3)
    query = random_keypoints(rng, 40)
    train = moved(query, matrix, [5.0, -3.0], angle=angle, scale=scale)
    wrong = rng.permutation(40)[:15]
    train.points[wrong, :2] = rng.uniform(0, SIDE, (15, 2))
    result = verify(query, train, no_background(query))
    assert result.inliers >= 23
    assert result.evidence > 30
    np.testing.assert_allclose(result.transform[:, :2], matrix, atol=0.02)
    np.testing.assert_allclose(result.transform[:, 2], [5, -3], atol=2)


def test_matches_at_random_places_are_no_evidence():
    values = []
    for seed in range(30):
        rng = np.random.default_rng(seed)
        query = random_keypoints(rng, 30)
        train = random_keypoints(rng, 30)
        train = Keypoints(train.points, query.descriptors, SIDE, SIDE)
        values.append(verify(query, train, no_background(query)).evidence)
    assert max(values) < 2


def test_many_matches_at_one_place_count_once():
    query = random_keypoints(np.random.default_rng(0), 30)
    query.points[:, :2] = 100
    result = verify(query, query, no_background(query))
    assert result.evidence == 0


def test_what_is_no_nearer_than_the_background_is_no_match():
    query = random_keypoints(np.random.default_rng(0), 30)
    assert verify(query, query, np.zeros(30, np.float32)).inliers == 30
    other = Keypoints(query.points, query.descriptors + 3, SIDE, SIDE)
    assert verify(query, other, np.full(30, 128 * 9, np.float32)).inliers == 0
