"""Quantiles of the distance to the nearest training image: the tail where copies show first."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from genmem.arrays import as_distances, as_feature_sets, to_numpy
from genmem.neighbors import Metric, nearest
from genmem.results import Result

LEVELS = (0.0, 0.001, 0.005, 0.01, 0.05, 0.25, 0.5, 0.75, 1.0)


def nn_quantiles(
    *, generated: Any, train: Any, test: Any = None, metric: Metric = "absolute_cosine"
) -> Result:
    """Quantiles of d(g) = min over training x of d(g, x), for generated and, if given, test rows.

    A mean hides dilution: one copy in a hundred hardly moves it, but it moves the lowest
    quantiles at once. Held-out test images show what those quantiles are without copying.

    Args:
        generated: float [n, d], one row per image; NumPy (memory-mapped too) or torch.
        train: float [m, d].
        test: float [k, d], images of the same kind that were not trained on; or None.
        metric: "absolute_cosine", "cosine" or "euclidean".

    Returns:
        value: the median distance of the generated rows.
        parts: `levels`, `generated`, and `test` when given: quantiles at these levels (linear
            interpolation); `below_test`: for each level, the share of generated rows closer than
            the test quantile, which is about the level itself for an honest generator.

    Raises:
        InputError: the arrays are not features of one backbone.
    """
    roles = {"generated": generated, "train": train} | ({} if test is None else {"test": test})
    sets = as_feature_sets(**roles)
    distances = {
        role: to_numpy(nearest(sets[role], sets["train"], metric=metric).distances)[:, 0]
        for role in sets
        if role != "train"
    }
    return nn_quantiles_from(
        generated=distances["generated"],
        test=distances.get("test"),
        train_rows=int(sets["train"].shape[0]),
    )


def nn_quantiles_from(
    *, generated: NDArray[np.float64], test: NDArray[np.float64] | None, train_rows: int
) -> Result:
    """`nn_quantiles` from distances to the nearest training rows.

    Args:
        generated: float64 [n].
        test: float64 [k]; None without a test set.
        train_rows: size of the training set, for the result.
    """
    generated = as_distances(generated, role="generated")
    n = {"generated": len(generated), "train": train_rows}
    parts: dict[str, Any] = {"levels": LEVELS, "generated": np.quantile(generated, LEVELS).tolist()}
    if test is not None:
        test = as_distances(test, role="test")
        n["test"] = len(test)
        at = np.quantile(test, LEVELS)
        parts["test"] = at.tolist()
        parts["below_test"] = [float((generated < quantile).mean()) for quantile in at]
    return Result(name="nn_quantiles", value=float(np.median(generated)), n=n, parts=parts)
