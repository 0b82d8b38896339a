"""Realism of single images: how deep each lies inside the neighborhoods of the training set."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from genmem.arrays import as_feature_sets, block_slices, check_at_least, row_counts, to_numpy
from genmem.metrics.prdc import PRECISION_NEIGHBORHOOD, SUBSET_ROWS, train_subset
from genmem.neighbors import nearest
from genmem.results import Result

LEVELS = (0.05, 0.25, 0.5, 0.75, 0.95)


def realism(
    *,
    generated: Any,
    train: Any,
    neighborhood: int = PRECISION_NEIGHBORHOOD,
    rows: int | None = None,
    seed: int = 0,
) -> Result:
    """Median realism of the generated rows; from 1 on a row lies in a training neighborhood.

        R(x) = max_y r_k(y) / ‖x − y‖

    over the training rows y whose radius r_k(y), the distance to the k-th nearest other training
    row, is below the median: large balls are those of outliers. Kynkäänniemi et al. 2019 (arXiv
    1904.06991), eq. 3, k = 3. A copy of a kept training row has R = ∞.

    Args:
        generated: features [n, d], NumPy (memory-mapped too) or torch.
        train: features [m, d] of the same kind.
        neighborhood: k of the balls.
        rows: compare with a random subset of so many training rows, at most; None for all.
        seed: of the subset.

    Returns:
        value, the median; parts: `levels` and `quantiles` of R, and `realistic`, the share of the
        images with R ≥ 1.

    Raises:
        InputError: the arrays are not features of one backbone, or train has ≤ k rows.

    Example:
        >>> import numpy as np
        >>> from genmem import realism
        >>> train = np.random.default_rng(0).normal(size=(200, 4))
        >>> far = realism(generated=train + 9, train=train)
        >>> float(far) < 0.5
        True
    """
    values = realism_of_images(
        generated=generated, train=train, neighborhood=neighborhood, rows=rows, seed=seed
    )
    n = row_counts(as_feature_sets(generated=generated, train=train))
    return Result(
        name="realism",
        value=float(np.quantile(values, 0.5, method="lower")),
        n=n,
        parts={
            "neighborhood": neighborhood,
            "levels": list(LEVELS),
            "quantiles": np.quantile(values, LEVELS, method="lower").tolist(),
            "realistic": float((values >= 1).mean()),
        },
        seed=seed,
    )


def realism_on_subset(*, generated: Any, train: Any, seed: int = 0) -> Result:
    """`realism` against at most `SUBSET_ROWS` training rows: balls shrink as a set grows."""
    return realism(generated=generated, train=train, rows=SUBSET_ROWS, seed=seed)


def realism_of_images(
    *,
    generated: Any,
    train: Any,
    neighborhood: int = PRECISION_NEIGHBORHOOD,
    rows: int | None = None,
    seed: int = 0,
) -> NDArray[np.float64]:
    """R of each generated row, float64 [n]; arguments and errors as for `realism`."""
    generated, train = as_feature_sets(generated=generated, train=train).values()
    count = int(train.shape[0])
    check_at_least(
        count, neighborhood + 1, role="train", why=f"each row needs {neighborhood} neighbors."
    )
    kept = to_numpy(train)
    if rows is not None and rows < count:
        kept = kept[train_subset(count, rows, seed=seed)]
    search = nearest(kept, kept, k=neighborhood, metric="euclidean", exclude_self=True)
    radii = to_numpy(search.distances)[:, neighborhood - 1]
    inner = np.flatnonzero(radii < np.median(radii))
    if not len(inner):  # all radii are the same
        inner = np.arange(len(radii))
    values = np.empty(int(generated.shape[0]))
    balls = kept[inner].astype(np.float64)
    for part in block_slices(len(values), len(inner)):
        values[part] = _block(to_numpy(generated[part]).astype(np.float64), balls, radii[inner])
    return values


def _block(
    x: NDArray[np.float64], balls: NDArray[np.float64], radii: NDArray[np.float64]
) -> NDArray[np.float64]:
    """R of some rows: the ball by products, its distance by differences."""
    centre = balls.mean(0)
    a, b = x - centre, balls - centre
    squares = (a * a).sum(1)[:, None] + (b * b).sum(1) - 2 * (a @ b.T)
    with np.errstate(divide="ignore", invalid="ignore"):
        best = np.where(radii > 0, np.maximum(squares, 0) / radii**2, np.inf).argmin(1)
        distances = np.linalg.norm(x - balls[best], axis=1)
        values = radii[best] / distances
    return np.where(distances > 0, values, np.inf)
