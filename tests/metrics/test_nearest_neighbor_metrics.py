"""The nearest-neighbor metrics against slow versions written from their formulas."""

import numpy as np
import pytest
import torch

from genmem.errors import InputError
from genmem.metrics.authpct import authpct
from genmem.metrics.memorization_distance import memorization_distance
from genmem.metrics.memorization_ratio import memorization_ratio

from .slow_distances import (
    slow_authpct,
    slow_memorization_distance,
    slow_memorization_ratio,
)


@pytest.mark.parametrize(
    ("metric", "slow"),
    [
        (memorization_distance, slow_memorization_distance),
        (memorization_ratio, slow_memorization_ratio),
        (authpct, slow_authpct),
    ],
)
def test_the_fast_metric_equals_the_formula_and_not_its_swap(metric, slow, image_sets):
    expected = slow(**image_sets)
    assert float(metric(**image_sets)) == pytest.approx(expected, rel=1e-9)
    swapped = metric(generated=image_sets["train"], train=image_sets["generated"])
    assert float(swapped) != pytest.approx(expected, rel=1e-3)


@pytest.mark.parametrize("metric", [memorization_distance, memorization_ratio, authpct])
def test_row_order_changes_nothing(metric, image_sets):
    rng = np.random.default_rng(6)
    shuffled = {role: rows[rng.permutation(len(rows))] for role, rows in image_sets.items()}
    assert float(metric(**shuffled)) == pytest.approx(float(metric(**image_sets)), rel=1e-12)


@pytest.mark.parametrize("metric", [memorization_distance, memorization_ratio, authpct])
@pytest.mark.parametrize(
    ("role", "rows", "message"),
    [
        ("train", np.full((4, 9), np.nan), "train: row 0 holds NaN"),
        ("generated", np.ones((4, 8)), "differ in feature dimension"),
        ("generated", np.ones((0, 9)), r"shape \(0, 9\)"),
        ("train", np.ones((4, 9), dtype=np.int64), "floating-point"),
        ("train", [[1.0] * 9], "got list"),
    ],
)
def test_unusable_features_are_refused_by_role(metric, role, rows, message, image_sets):
    with pytest.raises(InputError, match=message):
        metric(**(image_sets | {role: rows}))


def test_half_precision_tensors_are_measured_too(image_sets):
    halves = {role: torch.from_numpy(array).bfloat16() for role, array in image_sets.items()}
    full = {role: array.float() for role, array in halves.items()}
    for metric in (memorization_distance, memorization_ratio, authpct):
        assert metric(**halves).value == pytest.approx(metric(**full).value, rel=1e-6)
