"""CMMD: the squared MMD of two sets under a Gaussian kernel, on CLIP embeddings of length 1."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from genmem.arrays import as_feature_sets, check_at_least, row_counts, to_numpy
from genmem.results import Result

SIGMA = 10.0
"""The kernel's bandwidth on unit rows, as published."""

SCALE = 1_000.0
"""The published value is a thousand times MMD²."""

_ROWS, _COLUMNS = 1_024, 4_096


def cmmd(*, generated: Any, train: Any) -> Result:
    """A thousand times the squared MMD of unit rows under a Gaussian kernel.

        k(x, y) = exp(−‖x − y‖² / (2σ²)),   σ = 10
        CMMD = 1000 · (Σ k(x_i, x_j) / n² + Σ k(y_i, y_j) / m² − 2 Σ k(x_i, y_j) / (nm))

    Jayasumana et al. 2024, "Rethinking FID" (arXiv 2401.09603), section 4, with the biased sums
    (i = j among them) of the released code, so that it is never negative. Published values are on
    CLIP ViT-L/14 at 336 pixels; in other features the number has no counterpart. All rows of both
    sets are used. Departure: k − 1 is summed, in float64, since k is 1 but for a few thousandths.

    Args:
        generated: features [n, d], NumPy (memory-mapped too) or torch; divided by their norms.
        train: features [m, d] of the same kind.

    Raises:
        InputError: not finite floating-point features of one dimension.

    Example:
        >>> import numpy as np
        >>> from genmem import cmmd
        >>> train = np.random.default_rng(0).normal(size=(200, 8))
        >>> float(cmmd(generated=train, train=train)) < 1e-6
        True
    """
    sets = as_feature_sets(generated=generated, train=train)
    for role, count in row_counts(sets).items():
        check_at_least(count, 1, role=role, why="the kernel is summed over rows.")
    x, y = (_unit(rows) for rows in sets.values())
    value = _mean_kernel(x, x) + _mean_kernel(y, y) - 2 * _mean_kernel(x, y)
    return Result(
        name="cmmd",
        value=max(SCALE * value, 0.0),
        n=row_counts(sets),
        parts={"sigma": SIGMA, "scale": SCALE},
    )


def _unit(features: Any) -> NDArray[np.float32]:
    """Rows of length 1, float32; rows of norm 0 stay 0."""
    rows = to_numpy(features).astype(np.float64)
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    np.divide(rows, norms, out=rows, where=norms > 0)
    return rows.astype(np.float32)


def _mean_kernel(x: NDArray[np.float32], y: NDArray[np.float32]) -> float:
    """The mean of k − 1 over all pairs of rows."""
    half_x, half_y = ((rows * rows).sum(1) / 2 for rows in (x, y))
    total = 0.0
    for i in range(0, len(x), _ROWS):
        for j in range(0, len(y), _COLUMNS):
            exponent = x[i : i + _ROWS] @ y[j : j + _COLUMNS].T
            exponent -= half_x[i : i + _ROWS, None]
            exponent -= half_y[j : j + _COLUMNS]
            exponent /= SIGMA**2  # −‖x − y‖² / (2σ²)
            total += float(np.expm1(exponent, out=exponent).sum(dtype=np.float64))
    return total / (len(x) * len(y))
