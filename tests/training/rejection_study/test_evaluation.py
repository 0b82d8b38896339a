"""The metrics of samples, against the metric functions on the same rows."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from genmem.metrics.c_t import c_t
from genmem.metrics.copied_fraction import copied_fraction, relative_distances
from genmem.metrics.frechet import fd
from genmem.metrics.memorization_distance import memorization_distance
from genmem.metrics.moments import moments
from genmem.neighbors import nearest
from genmem.training.rejection_study.evaluation import compute_metrics, select_percentile_samples
from genmem.training.rejection_study.feature_spaces import METRIC, FeatureSpace
from genmem.training.rejection_study.grid import LEAVE_ONE_OUT, TEST, GridRun

CLASSES = 3


@pytest.fixture
def rows():
    """Rows of training images, test images and samples, a third of which are near copies."""
    rng = np.random.default_rng(0)
    train, test, made = (rng.random((n, 6), dtype=np.float32) for n in (150, 120, 210))
    made[::3] = train[: len(made[::3])] + 0.001
    return {"train": train, "test": test, "generated": made}


def evaluate(rows, model):
    labels = {name: np.arange(len(some)) % CLASSES for name, some in rows.items()}
    train = SimpleNamespace(labels=labels["train"], classes=("a", "b", "c"))
    sets = SimpleNamespace(train=train, test=SimpleNamespace(labels=labels["test"]))
    near = {name: nearest(rows[name], rows["train"], k=5, metric=METRIC) for name in rows}
    space = FeatureSpace(
        name="made",
        extractor=None,
        train=rows["train"],
        test=rows["test"],
        train_moments=moments(rows["train"]),
        test_moments=moments(rows["test"]),
        nearest_train=near["test"].indices[:, 0],
        test_closeness=relative_distances(near["test"].distances),
        references={TEST: near["test"].distances[:, 0], LEAVE_ONE_OUT: np.full(150, 0.5)},
    )
    run = GridRun(model=model, tau=0.0, seed=0, config=None, folder=Path("none"))
    metrics = compute_metrics(run, sets, space, rows["generated"], near["generated"])
    return metrics, labels, near


def test_the_numbers_are_those_of_the_metrics(rows):
    result, _, _ = evaluate(rows, "sagan")
    sides = {"generated": rows["generated"], "train": rows["train"]}
    assert result.fd == pytest.approx(float(fd(**sides)))
    to_test = fd(generated=rows["generated"], train=rows["test"])
    assert result.fd_test == pytest.approx(float(to_test)) != result.fd
    assert result.memorization_distance == pytest.approx(float(memorization_distance(**sides)))
    both = sides | {"test": rows["test"]}
    assert result.copied_fraction == pytest.approx(float(copied_fraction(**both)))
    assert result.c_t == pytest.approx(float(c_t(**both, metric="cosine")))
    assert result.c_t == result.references[TEST] < 0
    assert result.references[LEAVE_ONE_OUT] < result.c_t  # all nearer than 0.5


def test_a_conditional_model_is_evaluated_within_each_class(rows):
    result, labels, _ = evaluate(rows, "sagan")
    names = np.array(["a", "b", "c"])
    expected = c_t(
        **rows,
        metric="cosine",
        categories={name: names[some].tolist() for name, some in labels.items()},
    )
    for name, score in expected.parts["categories"].items():
        assert result.classes[name].c_t == pytest.approx(score)
    assert result.c_t_by_class == pytest.approx(float(expected))


def test_an_unconditional_model_is_evaluated_among_the_neighbors_of_each_class(rows):
    result, labels, near = evaluate(rows, "dcgan")
    cell = {name: labels["train"][one.indices[:, 0]] for name, one in near.items()}
    for number, name in enumerate("abc"):
        mine = near["generated"].distances[cell["generated"] == number, 0]
        theirs = near["test"].distances[cell["test"] == number, 0]
        pairs = (mine[:, None] > theirs).sum() + 0.5 * (mine[:, None] == theirs).sum()
        m, n = len(mine), len(theirs)
        z = (pairs - (n * m / 2 - 0.5)) / np.sqrt(n * m * (n + m + 1) / 12)
        assert result.classes[name].c_t == pytest.approx(z, rel=1e-6)
        assert result.classes[name].memorization_distance == pytest.approx(mine.mean())


def test_the_samples_shown_stand_at_the_percentiles_of_the_distance():
    distances = np.random.default_rng(0).permutation(1_001) / 1_000
    shown = distances[select_percentile_samples(distances)].reshape(5, 4)
    assert shown[0].tolist() == [0.0, 0.001, 0.002, 0.003]
    assert shown.mean(axis=1)[1:] == pytest.approx([0.01, 0.05, 0.25, 0.5], abs=0.001)
    assert len(select_percentile_samples(np.array([0.3, 0.1]))) == 5 * 2
