"""How much the kernel distance depends on which images were generated: its interval."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genmem.arrays import block_slices, take_rows, to_numpy
from genmem.metrics.intervals import LEVEL, NORMAL
from genmem.metrics.kid import kd as kd
from genmem.results import Interval, Result

COMPARED = 1_000
"""Rows of each set that every generated row is compared with."""


def kd_with_interval(*, generated: Any, train: Any, seed: int = 0) -> Result:
    """`kd` with its interval. Arguments and errors as in `kd`."""
    result = kd(generated=generated, train=train, seed=seed)
    interval = kd_interval(
        value=result.value,
        deviation=float(result.parts["deviation"]),
        subsets=int(result.parts["subsets"]),
        generated=generated,
        train=train,
        seed=seed,
    )
    return replace(result, interval=interval)


def kd_interval(
    *, value: float, deviation: float, subsets: int, generated: Any, train: Any, seed: int
) -> Interval | None:
    """KD ± 1.96 s, the delta method over the generated images, training images held fixed.

        s² = 4 s²(w(x_i)) / n + deviation² / subsets,   w(x) = mean_g k(x, g) − mean_t k(x, t)

    2w is the influence of a row on MMD²; the second term is the noise of the random subsets.
    Source: Gretton et al. 2012, "A kernel two-sample test" (the variance under the alternative). w
    is taken over at most `COMPARED` random rows of each set. Where the two distributions are
    nearly the same, w is little but the noise of those rows, and the interval is too wide.

    Args:
        value: KD.
        deviation: standard deviation over the subsets.
        subsets: their number.
        generated: features [n, d].
        train: features [m, d].
        seed: of the rows compared with.

    Returns:
        None where there are fewer than three generated rows.
    """
    count = int(generated.shape[0])
    if count < 3:
        return None
    rng = np.random.default_rng(seed)
    others = [_some(rows, rng) for rows in (generated, train)]
    centre = np.concatenate(others).mean(0)
    means = [_mean_kernel(generated, rows, centre) for rows in others]
    witness = means[0] - means[1]
    variance = 4 * float(witness.var(ddof=1)) / count + deviation**2 / subsets
    half = NORMAL * math.sqrt(variance)
    return Interval(
        low=value - half,
        high=value + half,
        level=LEVEL,
        method="delta method over the generated images, and the noise of the subsets; training "
        "images held fixed",
    )


def _some(features: Any, rng: np.random.Generator) -> NDArray[np.float32]:
    count = int(features.shape[0])
    rows = np.sort(rng.choice(count, min(COMPARED, count), replace=False))
    return to_numpy(take_rows(features, rows)).astype(np.float32)


def _mean_kernel(
    features: Any, others: NDArray[np.float32], centre: NDArray[np.float32]
) -> NDArray[np.float64]:
    """Mean of (xᵀy / d + 1)³ over the rows y of `others`, for each row x; products about a centre.

    xᵀy = (x − c)ᵀ(y − c) + xᵀc + (y − c)ᵀc, with small float32 products.
    """
    dimension = len(centre)
    near = others - centre
    along = (near.astype(np.float64) @ centre)[None]
    out = np.empty(int(features.shape[0]))
    for part in block_slices(len(out), max(dimension, len(others))):
        rows = to_numpy(features[part]).astype(np.float32)
        offset = (rows.astype(np.float64) @ centre)[:, None]
        kernel = (((rows - centre) @ near.T) + offset + along) / dimension + 1
        out[part] = (kernel * kernel * kernel).mean(1)
    return out
