"""τ of "auto" against the mean leave-one-out distance, computed one image at a time."""

import numpy as np
import pytest

from .factories import Projection, as_float, make, slow_distances


def test_auto_is_the_mean_leave_one_out_distance(train):
    reference = as_float(train)
    slow = [
        slow_distances(reference[i : i + 1], np.delete(train, i, axis=0), Projection())[0]
        for i in range(len(train))
    ]
    assert make(train, "auto").tau == pytest.approx(np.mean(slow), abs=1e-6)


def test_auto_within_classes_leaves_other_classes_out(train):
    labels = np.arange(40) % 4
    slow = []
    for i in range(len(train)):
        others = train[(labels == labels[i]) & (np.arange(40) != i)]
        slow += [*slow_distances(as_float(train[i : i + 1]), others, Projection())]
    rejection = make(train, "auto", categories=labels)
    assert rejection.tau == pytest.approx(np.mean(slow), abs=1e-6)


def test_auto_takes_a_sample_of_a_large_set(train, monkeypatch):
    whole = make(train, "auto").tau
    monkeypatch.setattr("genmem.training.rejection.threshold.TAU_ROWS", 30)
    sampled = make(train, "auto").tau
    assert sampled != whole
    assert sampled == pytest.approx(whole, rel=0.3)
