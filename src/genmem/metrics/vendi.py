"""Vendi score: how many different images a set holds, as an effective number."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from genmem.arrays import as_features, block_slices, copy_float64, take_rows, to_numpy
from genmem.metrics.symmetric_eigen import eigenvalues
from genmem.results import Result


def vendi(*, generated: Any, train: Any = None, seed: int = 0) -> Result:
    """Effective number of different rows: 1 if all are the same, n if all are orthogonal.

        VS = exp(−Σ λ_i log λ_i),   λ_i the eigenvalues of K / n,   K_ij = cos(x_i, x_j)

    Friedman and Dieng 2022, "The Vendi Score" (arXiv 2210.02410), q = 1. The eigenvalues are those
    of the d × d matrix Σ x xᵀ / n of unit rows where there are more rows than dimensions. Rows of
    norm 0 have no direction and are left out. It grows with n, so training images are counted in a
    random subset of as many rows, where there are so many. Of copying it says nothing.

    Args:
        generated: features [n, d], NumPy (memory-mapped too) or torch.
        train: features [m, d] of the same kind, to compare with; None for none.
        seed: of the subset of train.

    Returns:
        value; parts: `train` (the score of as many training rows; None without).

    Raises:
        InputError: not finite floating-point features.

    Example:
        >>> import numpy as np
        >>> from genmem import vendi
        >>> round(float(vendi(generated=np.repeat(np.eye(3), 4, axis=0))), 6)
        3.0
    """
    generated = as_features(generated, role="generated")
    count = int(generated.shape[0])
    n, of_train = {"generated": count}, None
    if train is not None:
        train = as_features(train, role="train")
        n["train"] = int(train.shape[0])
        if n["train"] >= count:
            rows = np.random.default_rng(seed).choice(n["train"], count, replace=False)
            of_train = _score(take_rows(train, np.sort(rows)))
    return Result(name="vendi", value=_score(generated), n=n, parts={"train": of_train}, seed=seed)


def _score(features: Any) -> float:
    count, dimension = (int(length) for length in features.shape)
    if count <= dimension:
        unit = _unit_rows(features, slice(0, count))
        matrix, rows = unit @ unit.T, len(unit)
    else:
        matrix, rows = np.zeros((dimension, dimension)), 0
        for part in block_slices(count, dimension):
            unit = _unit_rows(features, part)
            matrix += unit.T @ unit
            rows += len(unit)
    if not rows:
        return 0.0
    spectrum = np.asarray(eigenvalues(matrix / rows))
    spectrum = spectrum[spectrum > 0]
    return float(np.exp(-(spectrum * np.log(spectrum)).sum()))


def _unit_rows(features: Any, part: slice) -> NDArray[np.float64]:
    """Rows divided by their norms, those of norm 0 left out."""
    rows = to_numpy(copy_float64(features, part))
    norms = np.linalg.norm(rows, axis=1)
    return rows[norms > 0] / norms[norms > 0, None]
