"""Precision, recall, density and coverage: overlap of two sets by nearest-neighbor balls.

Sources: precision and recall, Kynkäänniemi et al. 2019 (arXiv 1904.06991), k = 3; density and
coverage, Naeem et al. 2020 (arXiv 2002.09797), k = 5. B_k(x) is the Euclidean ball around x that
reaches to its k-th nearest other row of the same set. Papers do not say whether it holds its
boundary, which only copies lie on; the released codes do, and are followed: closed for precision
and recall, open for density and coverage (so that an exact copier has density 1). Departure: an
open ball of radius 0, of a row that is there k + 1 times, holds that row. All four expect sets of
comparable size: the balls shrink as a set grows.

Intervals: precision and density are means over independent generated rows, so theirs are those of a
share and of a mean. Recall and coverage hang on all generated rows at once, and have none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genmem.arrays import as_feature_sets, check_at_least, row_counts, take_rows, to_numpy
from genmem.errors import UsageError
from genmem.metrics.intervals import LEVEL, clopper_pearson, mean_interval
from genmem.neighbors import ball_overlap, nearest
from genmem.results import Interval, Result

NAMES = ("precision", "recall", "density", "coverage")

_OPEN = ("density", "coverage")
"""Metrics whose balls do not hold their boundary."""

PRECISION_NEIGHBORHOOD = 3
DENSITY_NEIGHBORHOOD = 5

SUBSET_ROWS = 5_000
"""Rows per set in a score."""


def precision(*, generated: Any, train: Any, neighborhood: int = PRECISION_NEIGHBORHOOD) -> Result:
    """Share of generated rows inside at least one training ball B_k: are the images realistic?

    Args:
        generated: float [n, d], one row per image; NumPy (memory-mapped too) or torch.
        train: float [m, d].
        neighborhood: k of the balls.

    Returns:
        value in [0, 1]; higher is better. A generator that copies has precision 1.

    Raises:
        InputError: the arrays are not features of one backbone, or a set has ≤ k rows.

    Example:
        >>> import numpy as np
        >>> from genmem import precision
        >>> train = np.random.default_rng(0).normal(size=(100, 4))
        >>> float(precision(generated=train[:50], train=train))
        1.0
    """
    return _single("precision", generated, train, neighborhood)


def recall(*, generated: Any, train: Any, neighborhood: int = PRECISION_NEIGHBORHOOD) -> Result:
    """Share of training rows inside at least one generated ball B_k: is the variety covered?

    Arguments and errors as in `precision`; value in [0, 1], higher is better.

    Example:
        >>> import numpy as np
        >>> from genmem import recall
        >>> train = np.random.default_rng(0).normal(size=(100, 4))
        >>> float(recall(generated=train, train=train))
        1.0
    """
    return _single("recall", generated, train, neighborhood)


def density(*, generated: Any, train: Any, neighborhood: int = DENSITY_NEIGHBORHOOD) -> Result:
    """(1/k) · mean over generated rows of the number of training balls B_k that hold them.

    Arguments and errors as in `precision`; value ≥ 0, about 1 for held-out images, and 1 for exact
    copies.
    """
    return _single("density", generated, train, neighborhood)


def coverage(*, generated: Any, train: Any, neighborhood: int = DENSITY_NEIGHBORHOOD) -> Result:
    """Share of training rows whose own ball B_k holds at least one generated row.

    A training image that is there k + 1 times has a ball of radius 0 and is covered by its exact
    copy, other than in the released code.

    Arguments and errors as in `precision`; value in [0, 1], higher is better.
    """
    return _single("coverage", generated, train, neighborhood)


def prdc_on_subsets(
    *,
    generated: Any,
    train: Any,
    seed: int = 0,
    names: Sequence[str] = NAMES,
    train_distances: NDArray[np.float64] | None = None,
    rows: int | None = SUBSET_ROWS,
    precision_neighborhood: int = PRECISION_NEIGHBORHOOD,
    density_neighborhood: int = DENSITY_NEIGHBORHOOD,
) -> dict[str, Result]:
    """`prdc` on equally large random subsets.

    Balls shrink as a set grows, so unequal sets would be compared unfairly; and the search of a
    set in itself grows with its square.

    Args:
        generated: float [n, d].
        train: float [m, d].
        seed: of the subsets; that of train does not depend on the generated rows.
        names: which of the four.
        train_distances: of train's subset, as in `prdc`, where they are known.
        rows: of each subset, at most; None for all rows of both sets, however many each has.
        precision_neighborhood: as in `prdc`.
        density_neighborhood: as in `prdc`.

    Raises:
        InputError: as for `precision`.
    """
    counts = {"generated": int(generated.shape[0]), "train": int(train.shape[0])}
    size = max(counts.values()) if rows is None else min(rows, *counts.values())
    if rows is not None:
        rng = np.random.default_rng([seed, 1])  # other draws than train's
        subset = np.sort(rng.choice(counts["generated"], size, replace=False))
        generated = _take(generated, subset)
        train = _take(train, train_subset(counts["train"], size, seed=seed))
    results = prdc(
        generated=generated,
        train=train,
        names=names,
        precision_neighborhood=precision_neighborhood,
        density_neighborhood=density_neighborhood,
        train_distances=train_distances,
    )
    notes = tuple(
        f"on a random {size:,} of {count:,} {role} rows: the four compare sets of equal size."
        for role, count in counts.items()
        if count > size
    )
    return {name: replace(result, notes=notes, seed=seed) for name, result in results.items()}


def train_subset(count: int, size: int, *, seed: int) -> NDArray[np.int64]:
    """The training rows that `prdc_on_subsets` compares, int64 [size], ascending.

    Args:
        count: training rows.
        size: of the subset.
        seed: of the subset.
    """
    return np.sort(np.random.default_rng(seed).choice(count, size, replace=False))


def subset_distances(train: Any, size: int, *, k: int, seed: int) -> NDArray[np.float64]:
    """Distances of `train_subset` to its k nearest other rows, Euclidean, float64 [size, k].

    Args:
        train: float [m, d].
        size: of the subset, more than k.
        k: neighbors.
        seed: of the subset.
    """
    subset = _take(train, train_subset(int(train.shape[0]), size, seed=seed))
    search = nearest(subset, subset, k=k, metric="euclidean", exclude_self=True)
    return to_numpy(search.distances)


def _take(features: Any, rows: NDArray[np.int64]) -> Any:
    return features if len(rows) == int(features.shape[0]) else take_rows(features, rows)


def prdc(
    *,
    generated: Any,
    train: Any,
    names: Sequence[str] = NAMES,
    precision_neighborhood: int = PRECISION_NEIGHBORHOOD,
    density_neighborhood: int = DENSITY_NEIGHBORHOOD,
    train_distances: NDArray[np.float64] | None = None,
) -> dict[str, Result]:
    """Several of the four by name, sharing one search of each set in itself.

    Args:
        generated: float [n, d].
        train: float [m, d].
        names: which of "precision", "recall", "density", "coverage".
        precision_neighborhood: k of precision and recall.
        density_neighborhood: k of density and coverage.
        train_distances: float64 [m, k], from each row of train to its nearest other rows, Euclidean
            and ascending, k at least the largest neighborhood; None where they are not known.
    """
    sets = as_feature_sets(generated=generated, train=train)
    generated, train = sets.values()
    n = row_counts(sets)
    k_of = {
        name: precision_neighborhood if name in ("precision", "recall") else density_neighborhood
        for name in names
    }
    for name in names:
        if name not in NAMES:
            raise UsageError(f"names: expected some of {', '.join(NAMES)}, got {name!r}.")
    train_k = [k for name, k in k_of.items() if name != "recall"]
    closed = _radii(train, train_k, role="train", distances=train_distances)
    balls = dict.fromkeys((name in _OPEN, k) for name, k in k_of.items() if name != "recall")
    radii = {ball: _inside(closed[ball[1]]) if ball[0] else closed[ball[1]] for ball in balls}
    radii_generated = _radii(
        generated, [k for name, k in k_of.items() if name == "recall"], role="generated"
    )
    overlap = ball_overlap(
        generated,
        train,
        reference_radii=list(radii.values()),
        query_radii=next(iter(radii_generated.values()), None),
    )
    held_by = dict(zip(radii, overlap.held_by, strict=True))
    occupied = dict(zip(radii, overlap.occupied, strict=True))
    results: dict[str, Result] = {}
    for name, k in k_of.items():
        if name in ("recall", "coverage"):
            value = (overlap.reached if name == "recall" else occupied[True, k]).mean()
            interval = None
        else:
            value, interval = _of_generated(name, held_by[name in _OPEN, k], k)
        results[name] = Result(
            name=name, value=float(value), n=n, parts={"neighborhood": k}, interval=interval
        )
    return results


def _of_generated(name: str, held_by: NDArray[np.int64], k: int) -> tuple[float, Interval | None]:
    """Precision or density, a mean over generated rows, from the balls that hold each."""
    if name == "density":
        values = held_by / k
        return float(values.mean()), mean_interval(values, lowest=0.0)
    held = held_by > 0
    return float(held.mean()), _share_interval(held)


def _single(name: str, generated: Any, train: Any, neighborhood: int) -> Result:
    return prdc(
        generated=generated,
        train=train,
        names=[name],
        precision_neighborhood=neighborhood,
        density_neighborhood=neighborhood,
    )[name]


def _share_interval(held: NDArray[np.bool_]) -> Interval:
    low, high = clopper_pearson(int(held.sum()), len(held))
    return Interval(
        low=low,
        high=high,
        level=LEVEL,
        method="Clopper–Pearson over the generated images, training images held fixed",
    )


def _inside(radii: NDArray[np.float64]) -> NDArray[np.float64]:
    """Radii of closed balls that hold what the open ones of `radii` do; 0 stays 0."""
    return np.where(radii > 0, np.nextafter(radii, 0.0), 0.0)


def _radii(
    features: Any,
    ks: Sequence[int],
    *,
    role: str,
    distances: NDArray[np.float64] | None = None,
) -> dict[int, NDArray[np.float64]]:
    """float64 [rows] by k: the distance from each row to its k-th nearest other row."""
    if not ks:
        return {}
    largest = max(ks)
    rows = int(features.shape[0])
    check_at_least(rows, largest + 1, role=role, why=f"each row needs {largest} neighbors.")
    if distances is None:
        search = nearest(features, features, k=largest, metric="euclidean", exclude_self=True)
        distances = to_numpy(search.distances)
    return {k: np.ascontiguousarray(distances[:, k - 1]) for k in sorted(set(ks))}
