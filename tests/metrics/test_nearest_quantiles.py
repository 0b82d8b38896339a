"""Quantiles of nearest distances against NumPy and the formula."""

import numpy as np
import pytest

from genmem.metrics.nearest_quantiles import LEVELS, nn_quantiles

from .slow_distances import cosine


def test_nn_quantiles_equal_numpy_quantiles_of_the_formula_and_not_of_the_swap(image_sets):
    test = np.random.default_rng(1).normal(size=(50, 9))
    result = nn_quantiles(**image_sets, test=test)
    distances = [
        min(1 - abs(cosine(g, x)) for x in image_sets["train"]) for g in image_sets["generated"]
    ]
    held_out = [min(1 - abs(cosine(g, x)) for x in image_sets["train"]) for g in test]
    assert result.parts["generated"] == pytest.approx(np.quantile(distances, LEVELS), abs=1e-12)
    assert result.parts["test"] == pytest.approx(np.quantile(held_out, LEVELS), abs=1e-12)
    assert result.value == pytest.approx(np.median(distances))
    assert result.parts["below_test"][6] == np.mean(np.array(distances) < np.median(held_out))
    swapped = nn_quantiles(generated=image_sets["train"], train=image_sets["generated"])
    assert swapped.value != pytest.approx(result.value)
