"""Functions that take distances or labels, given every kind of array: right, or refused."""

import re
from typing import Any

import numpy as np
import pytest
import torch

import genmem
from genmem import calibration
from genmem.calibration.null_distribution import null_distribution
from genmem.errors import InputError
from genmem.metrics.c_t import c_t_from_distances
from genmem.metrics.copied_fraction import copied_fraction_from
from genmem.metrics.nearest_quantiles import nn_quantiles_from
from genmem.training.rejection.rejection import MemorizationRejection

from .kinds import Converts, Exchanges, G, H, N, T, refusal

DISTANCES = np.linspace(0.1, 0.9, 30)
OTHERS = np.linspace(0.2, 1.0, 30)

DISTANCE_DOORS = {
    "c_t_from_distances": lambda d: c_t_from_distances(generated=d, test=OTHERS).value,
    "copied_fraction_from": lambda d: (
        copied_fraction_from(generated=d, test=OTHERS, train_rows=9).value
    ),
    "nn_quantiles_from": lambda d: nn_quantiles_from(generated=d, test=d, train_rows=9).value,
    "auc": lambda d: calibration.auc(honest=OTHERS, cheating=d),
    "d_prime": lambda d: calibration.d_prime(honest=d, cheating=OTHERS),
    "dispersion": lambda d: calibration.dispersion(d).tau,
    "margins": lambda d: calibration.margins(honest=OTHERS, cheating=d).auc,
    "calibrate": lambda d: calibration.calibrate(honest=OTHERS, cheating=d, space="pixels").tau,
    "evaluate_threshold": lambda d: (
        calibration.evaluate_threshold(0.5, honest=OTHERS, cheating=d).caught
    ),
    "penalized_score": lambda d: float(
        calibration.penalized_score(fd=OTHERS, distance=d, tau=0.5).sum()
    ),
    "correlation": lambda d: calibration.correlation(fd=d, distance=OTHERS**2, group="").pearson,
    "sweep": lambda d: int(calibration.sweep(honest=d, cheating=OTHERS, taus=OTHERS).caught.sum()),
    "null_distribution": lambda d: float(null_distribution(d).values.sum()),
}


MAY_BE_EMPTY = ("evaluate_threshold", "sweep")
"""A group of a table may have no entries."""


@pytest.mark.parametrize("door", DISTANCE_DOORS)
def test_distances_are_taken_as_any_array_or_list_of_finite_numbers(door):
    compute = DISTANCE_DOORS[door]
    expected = compute(DISTANCES)
    usable = (
        DISTANCES.tolist(),
        torch.from_numpy(DISTANCES),
        np.ma.masked_array(DISTANCES),
        DISTANCES.astype(">f8"),
        Converts(DISTANCES),
        Exchanges(DISTANCES),
    )
    for given in usable:
        assert compute(given) == pytest.approx(expected, rel=1e-12)
    refused = (
        np.ma.masked_array(DISTANCES, DISTANCES > 0.5),
        list(np.ma.masked_array(DISTANCES, DISTANCES > 0.5)),
        np.where(DISTANCES > 0.5, np.nan, DISTANCES),
        [*DISTANCES[:5].tolist(), None],
        DISTANCES.astype(complex),
        DISTANCES.astype(object),
        DISTANCES.astype(str),
        DISTANCES > 0.5,
        DISTANCES[:, None],
        torch.from_numpy(DISTANCES).to("meta"),
        0.5,
        "0.5",
        None,
    )
    for given in refused:
        assert re.fullmatch(".+", refusal(compute, given)), given
    if door not in MAY_BE_EMPTY:
        assert re.fullmatch(".+", refusal(compute, DISTANCES[:0]))


def test_labels_that_are_missing_are_refused_and_no_class_of_their_own():
    labels = ["cat", "dog"] * (N // 2)
    masked = np.ma.masked_array(labels, [False] * (N - 1) + [True])
    holes = (masked, list(masked), [*labels[:-1], None], np.r_[np.arange(N - 1.0), np.nan])
    for given in holes:
        categories: Any = {"generated": given, "train": labels, "test": labels}
        with pytest.raises(InputError, match=r"masked|missing"):
            genmem.c_t(generated=G, train=T, test=H, categories=categories)
        with pytest.raises(InputError, match=r"masked|missing"):
            MemorizationRejection(
                T, backbone=torch.nn.Identity(), categories=categories["generated"]
            )
    expected = genmem.c_t(
        generated=G,
        train=T,
        test=H,
        categories=dict.fromkeys(("generated", "train", "test"), labels),
    )
    converts: Any = dict.fromkeys(("generated", "train", "test"), Converts(np.array(labels)))
    found = genmem.c_t(generated=G, train=T, test=H, categories=converts)
    assert float(found) == float(expected)
