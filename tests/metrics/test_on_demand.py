"""Vendi score, CMMD and realism against their formulas, written slowly."""

import math

import numpy as np
import pytest
import torch

from genmem.metrics.cmmd import cmmd
from genmem.metrics.realism import realism, realism_of_images
from genmem.metrics.vendi import vendi

METRICS = {"cmmd": cmmd, "realism": realism, "vendi": vendi}


def slow_vendi(rows):
    unit = rows / np.linalg.norm(rows, axis=1, keepdims=True)
    spectrum = np.linalg.eigvalsh(unit @ unit.T / len(rows))
    return math.exp(-sum(value * math.log(value) for value in spectrum if value > 1e-15))


@pytest.mark.parametrize("count", [6, 9, 200])
def test_the_vendi_score_equals_its_formula_however_many_rows_there_are(count):
    rows = np.random.default_rng(0).normal(0.3, 1, size=(count, 9))
    result = vendi(generated=rows, train=np.concatenate([rows, rows]))
    assert result.value == pytest.approx(slow_vendi(rows), rel=1e-9)
    assert 1 <= result.value <= count


def test_the_vendi_score_counts_different_rows_and_is_compared_at_equal_counts():
    distinct = np.eye(5)
    assert vendi(generated=np.repeat(distinct, 7, axis=0)).value == pytest.approx(5)
    assert vendi(generated=np.ones((4, 3))).value == pytest.approx(1)
    both = vendi(generated=distinct, train=np.repeat(distinct[:1], 9, axis=0))
    assert both.parts["train"] == pytest.approx(1)
    assert vendi(generated=distinct, train=distinct[:2]).parts["train"] is None
    with_zero = vendi(generated=np.vstack([distinct, np.zeros((1, 5))]))
    assert with_zero.value == pytest.approx(5)


def slow_cmmd(generated, train):
    def kernel(x, y):
        return math.exp(-((x - y) ** 2).sum() / (2 * 10**2))

    x, y = (rows / np.linalg.norm(rows, axis=1, keepdims=True) for rows in (generated, train))

    def mean(a, b):
        return np.mean([[kernel(one, other) for other in b] for one in a])

    return 1000 * (mean(x, x) + mean(y, y) - 2 * mean(x, y))


def test_cmmd_equals_its_formula_in_blocks_too(image_sets, monkeypatch):
    expected = slow_cmmd(**{role: rows.astype(float) for role, rows in image_sets.items()})
    assert cmmd(**image_sets).value == pytest.approx(expected, abs=2e-6)
    monkeypatch.setattr("genmem.metrics.cmmd._ROWS", 7)
    monkeypatch.setattr("genmem.metrics.cmmd._COLUMNS", 11)
    assert cmmd(**image_sets).value == pytest.approx(expected, abs=2e-6)
    far = {**image_sets, "generated": image_sets["generated"] + 5}
    assert cmmd(**far).value > 2 * expected


def slow_realism(generated, train, k):
    """max r_k(y) / ‖x − y‖ over the training rows with a radius below the median."""
    radii = [
        sorted(np.linalg.norm(row - other) for j, other in enumerate(train) if j != i)[k - 1]
        for i, row in enumerate(train)
    ]
    kept = [i for i, radius in enumerate(radii) if radius < np.median(radii)]
    return [max(radii[i] / np.linalg.norm(x - train[i]) for i in kept) for x in generated]


@pytest.mark.parametrize("k", [1, 3])
def test_realism_equals_its_formula_and_not_that_of_the_swapped_sets(image_sets, k):
    sets = {role: rows.astype(np.float64) for role, rows in image_sets.items()}
    expected = slow_realism(**sets, k=k)
    values = realism_of_images(**sets, neighborhood=k)
    assert values == pytest.approx(expected, rel=1e-9)
    result = realism(**sets, neighborhood=k)
    assert result.value in values
    assert result.parts["realistic"] == np.mean(values >= 1)
    swapped = realism(generated=sets["train"], train=sets["generated"], neighborhood=k)
    assert swapped.value != pytest.approx(result.value)


def test_a_copy_of_a_typical_image_is_infinitely_real_and_json_says_so(image_sets):
    train = image_sets["train"]
    values = realism_of_images(generated=train, train=train)
    assert np.isinf(values).mean() == pytest.approx(0.5, abs=0.02)
    assert realism(generated=train[:3], train=train).to_dict()["parts"]["realistic"] <= 1


@pytest.mark.parametrize("name", METRICS)
def test_tensors_give_the_value_of_arrays(name, image_sets):
    tensors = {role: torch.from_numpy(rows) for role, rows in image_sets.items()}
    assert METRICS[name](**tensors).value == pytest.approx(METRICS[name](**image_sets).value)
