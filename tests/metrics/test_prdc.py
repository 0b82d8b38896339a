"""Precision, recall, density and coverage against their formulas and against torch-fidelity."""

import numpy as np
import pytest
import torch

from genmem.errors import InputError, UsageError
from genmem.metrics.prdc import NAMES, coverage, density, prdc, precision, recall


@pytest.fixture
def sets():
    rng = np.random.default_rng(0)
    return {
        "generated": rng.normal(0.4, 0.8, size=(50, 4)),
        "train": rng.normal(size=(80, 4)),
    }


def slow(generated, train, k):
    """The four straight from their definitions, with loops over rows."""

    def distance(a, b):
        return np.sqrt(((a - b) ** 2).sum())

    def ball_radius(rows, i):
        return sorted(distance(rows[i], rows[j]) for j in range(len(rows)) if j != i)[k - 1]

    train_radius = [ball_radius(train, i) for i in range(len(train))]
    generated_radius = [ball_radius(generated, i) for i in range(len(generated))]
    holds = np.array(
        [[distance(g, x) <= r for x, r in zip(train, train_radius, strict=True)] for g in generated]
    )
    held = np.array(
        [
            [distance(x, g) <= r for g, r in zip(generated, generated_radius, strict=True)]
            for x in train
        ]
    )
    return {
        "precision": holds.any(axis=1).mean(),
        "recall": held.any(axis=1).mean(),
        "density": holds.sum() / (k * len(generated)),
        "coverage": holds.any(axis=0).mean(),
    }


@pytest.mark.parametrize("k", [1, 3, 5])
def test_all_four_equal_their_definitions_and_not_their_swap(sets, k):
    expected = slow(**sets, k=k)
    for metric in (precision, recall, density, coverage):
        result = metric(**sets, neighborhood=k)
        assert result.value == pytest.approx(expected[result.name])
        swapped = metric(generated=sets["train"], train=sets["generated"], neighborhood=k)
        assert swapped.value != pytest.approx(expected[result.name])


def test_together_they_equal_each_alone(sets):
    together = prdc(**sets)
    assert list(together) == list(NAMES)
    for metric in (precision, recall, density, coverage):
        alone = metric(**sets)
        assert together[alone.name] == alone


def test_precision_and_recall_equal_torch_fidelity():
    prc = pytest.importorskip("torch_fidelity.metric_prc")
    rng = np.random.default_rng(1)
    generated = rng.normal(0.2, 0.9, size=(400, 32)).astype(np.float32)
    train = rng.normal(size=(500, 32)).astype(np.float32)
    theirs = prc.calculate_precision_recall_full(
        torch.from_numpy(generated).double(), torch.from_numpy(train).double()
    )
    ours = prdc(generated=generated, train=train, names=["precision", "recall"])
    assert (ours["precision"].value, ours["recall"].value) == pytest.approx(theirs, abs=1e-6)


def test_a_copier_has_perfect_precision_and_poor_recall():
    rng = np.random.default_rng(2)
    train = rng.normal(size=(200, 6))
    generated = np.repeat(train[:3], 10, axis=0)
    found = prdc(generated=generated, train=train)
    assert found["precision"].value == 1
    assert found["recall"].value < 0.1


def test_an_exact_copier_has_density_one_and_covers_what_the_released_code_says():
    rng = np.random.default_rng(4)
    train = rng.normal(size=(60, 5))
    found = prdc(generated=train[:20], train=train)
    distances = np.linalg.norm(train[:, None] - train[None, :20], axis=2)
    radii = np.sort(np.linalg.norm(train[:, None] - train, axis=2), axis=1)[:, 5]
    inside = distances < radii[:, None]  # the open ball
    assert found["density"].value == inside.sum() / (5 * 20)
    assert prdc(generated=train, train=train)["density"].value == 1
    assert found["coverage"].value == inside.any(axis=1).mean()
    assert found["precision"].value == 1


def test_too_few_rows_are_refused_by_role(sets):
    with pytest.raises(InputError, match="generated: expected at least 4 rows, got 3"):
        recall(generated=sets["generated"][:3], train=sets["train"])


def test_an_unknown_name_is_refused(sets):
    with pytest.raises(UsageError, match="f_score"):
        prdc(**sets, names=["f_score"])


def test_a_training_image_that_is_there_twice_is_covered_by_its_exact_copy():
    rng = np.random.default_rng(3)
    train = rng.normal(size=(20, 4))
    train[:6] = 100  # radius 0 at k = 5
    generated = np.vstack([train[:1], rng.normal(50, 1, size=(9, 4))])
    assert coverage(generated=generated, train=train).value == pytest.approx(6 / 20)


@pytest.mark.parametrize("metric", [precision, recall, density, coverage])
def test_tensors_and_mixed_arrays_give_the_same_value(metric, sets):
    tensors = {role: torch.from_numpy(array) for role, array in sets.items()}
    expected = metric(**sets).value
    assert metric(**tensors).value == expected
    assert metric(**(sets | {"train": tensors["train"]})).value == expected
