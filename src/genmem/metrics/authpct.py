"""AuthPct: the percentage of generated images that are not noisy copies of a training image."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from genmem.arrays import as_feature_sets, check_at_least, to_numpy
from genmem.neighbors import Nearest, nearest, nearest_other
from genmem.results import Result


def authpct(*, generated: Any, train: Any) -> Result:
    """100 · share of generated g with d(g, x) > d(x, x'): g is farther from x than x' is.

    x is the training row nearest to g and x' the training row nearest to x, Euclidean. Source:
    "How Faithful is your Synthetic Data?" (Alaa et al. 2022, arXiv 2102.08921), authenticity.

    Lower means more copying, but where training images are sparse an honest image can lie within
    x's own gap: held-out images do not score 100, so compare with theirs.

    Args:
        generated: float [n, d], one row per image; NumPy (memory-mapped too) or torch.
        train: float [m, d], at least two rows.

    Returns:
        value: percent in [0, 100]; higher is better.
        parts: `authentic` (count).

    Raises:
        InputError: the arrays are not features of one backbone, or train has one row.
    """
    generated, train = as_feature_sets(generated=generated, train=train).values()
    return authpct_from(nearest_rows=nearest(generated, train, metric="euclidean"), train=train)


def authpct_from(
    *, nearest_rows: Nearest, train: Any, gaps: NDArray[np.float64] | None = None
) -> Result:
    """`authpct` from a finished search.

    Args:
        nearest_rows: Euclidean search of generated in train, k ≥ 1.
        train: float [m, d].
        gaps: float64 [m], from each training row to the nearest other one, Euclidean; None where
            they are not known.
    """
    train_rows = int(train.shape[0])
    check_at_least(train_rows, 2, role="train", why="the gap around a training image needs another")
    distances, indices = (
        to_numpy(array)[:, 0] for array in (nearest_rows.distances, nearest_rows.indices)
    )
    if gaps is None:
        touched, indices = np.unique(indices, return_inverse=True)
        gaps = to_numpy(nearest_other(train, touched, metric="euclidean"))
    authentic = int((distances > gaps[indices]).sum())
    return Result(
        name="authpct",
        value=100.0 * authentic / len(distances),
        n={"generated": len(distances), "train": train_rows},
        parts={"authentic": authentic},
    )
