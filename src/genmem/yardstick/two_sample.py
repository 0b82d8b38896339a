"""A two-sample test: do held-out and training images come from one distribution?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genmem.arrays import as_feature_sets, take_rows, to_numpy
from genmem.results import Json, to_json

ROWS = 1_500
"""Rows of each set that are compared; a seeded sample where there are more. More rows would only
make smaller differences significant, which `SIZE` rules out anyway."""

PERMUTATIONS = 499

SIGNIFICANT = 0.01

SIZE = 0.01
"""From this size on a difference matters (see `TwoSample.size`). Random splits of photographs show
at most .0015, CIFAR-10's test against its training images at most .001, JPEG of quality 20 against
lossless photographs from .021 on."""

LARGE = 0.05
"""From this size on a difference of linked rows matters, too: splits by scene show up to .02."""


@dataclass(frozen=True, kw_only=True)
class TwoSample:
    """The result of `two_sample_test`.

    Attributes:
        size: of the difference, in units of the spread inside the sets: 0 for sets of one
            distribution, on average; 1 where the distance between sets is twice that inside.
        p_value: the permutation p-value of that size.
        train, test: rows of each set that were compared.
        groups: number of groups that were permuted; of rows where none were given.
        differs: significant, and of a size that matters; or, where rows were linked, so large that
            it is not the links'.
    """

    size: float
    p_value: float
    train: int
    test: int
    groups: int
    differs: bool

    def to_dict(self) -> dict[str, Json]:
        """The result as plain JSON."""
        return to_json(asdict(self))


def two_sample_test(
    *,
    train: Any,
    test: Any,
    groups: Sequence[Any] | None = None,
    linked: Callable[[Any], NDArray[np.int64]] | None = None,
    seed: int = 0,
) -> TwoSample:
    """Compare two sets by the energy distance, with a permutation null.

        D = 2 E|X − Y| − E|X − X'| − E|Y − Y'|     X, X' of train, Y, Y' of test
        size = D / (E|X − X'| + E|Y − Y'|)

    D is the squared maximum mean discrepancy with the kernel −|x − y| (Székely and Rizzo 2013,
    "Energy statistics"; Sejdinovic et al. 2013, "Equivalence of distance-based and RKHS-based
    statistics in hypothesis testing"). It is 0 for equal distributions only, and needs no bandwidth
    to be chosen: a Gaussian kernel at the median distance gives nearly the same order of the cases
    in `docs/detection.md`. The means run over pairs of different rows, so that D is unbiased.

    The p-value is valid for any distribution if the groups are exchangeable: whole groups are
    permuted. With tens of thousands of rows every honest difference becomes significant, so a
    difference counts only from `SIZE` on.

    Args:
        train: float [l, d], NumPy (memory-mapped too) or torch.
        test: float [m, d].
        groups: a label for each row of train, then of test, [l + m]; None: each row is its own.
        linked: called with the compared rows, float32 [n, d], where there are no `groups`: returns
            a group for each, int64 [n].
        seed: of samples and permutations.

    Raises:
        InputError: the arrays are not features of one backbone.
    """
    arrays = as_feature_sets(train=train, test=test)
    rng = np.random.default_rng(seed)
    counts = {role: int(array.shape[0]) for role, array in arrays.items()}
    rows = {role: _sample(count, rng) for role, count in counts.items()}
    points = np.concatenate(
        [to_numpy(take_rows(arrays[role], rows[role])).astype(np.float32) for role in arrays]
    )
    labels = _labels(groups, rows, counts)
    by_links = groups is None and linked is not None
    if groups is None and linked is not None:
        labels = linked(points)
    distances = _distances(points)
    in_train = np.arange(len(points)) < len(rows["train"])
    observed, size = _energy(distances, in_train[None])
    permuted, _ = _energy(distances, _permutations(labels, in_train, rng))
    p_value = (1 + int((~(permuted < observed[0])).sum())) / (1 + PERMUTATIONS)
    return TwoSample(
        size=float(size[0]),
        p_value=p_value,
        train=len(rows["train"]),
        test=len(rows["test"]),
        groups=len(np.unique(labels)),
        differs=bool(
            (p_value <= SIGNIFICANT and size[0] >= SIZE) or (by_links and size[0] >= LARGE)
        ),
    )


def _sample(count: int, rng: np.random.Generator) -> NDArray[np.int64]:
    if count <= ROWS:
        return np.arange(count)
    return np.sort(rng.choice(count, ROWS, replace=False))


def _labels(
    groups: Sequence[Any] | None,
    rows: dict[str, NDArray[np.int64]],
    counts: dict[str, int],
) -> NDArray[np.int64]:
    """The group of each compared row, int64 [l + m]; each its own where none are given."""
    chosen = np.concatenate([rows["train"], counts["train"] + rows["test"]])
    if groups is None:
        return np.arange(len(chosen))
    return np.unique(np.asarray(groups).astype(str)[chosen], return_inverse=True)[1]


def _distances(points: NDArray[np.float32]) -> NDArray[np.float64]:
    """Euclidean distances of all pairs, [n, n]; near 0 exact enough for means."""
    points = points - points.mean(axis=0)
    squares = np.einsum("ij,ij->i", points, points, dtype=np.float64)
    squared = squares[:, None] + squares[None, :] - 2.0 * (points @ points.T).astype(np.float64)
    np.fill_diagonal(squared, 0.0)
    return np.sqrt(np.maximum(squared, 0.0))


def _energy(
    distances: NDArray[np.float64], in_train: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """D and its size for each assignment of rows to the sets, bool [b, n]."""
    first = in_train.astype(np.float64)
    n = first.sum(axis=1)
    m = in_train.shape[1] - n
    to_first = first @ distances
    within_train = (to_first * first).sum(axis=1)
    between = to_first.sum(axis=1) - within_train
    within_test = distances.sum() - within_train - 2 * between
    with np.errstate(divide="ignore", invalid="ignore"):  # fewer than two rows: never significant
        inside = within_train / (n * (n - 1)) + within_test / (m * (m - 1))
        D = 2 * between / (n * m) - inside
        return D, np.where(inside > 0, D / inside, 0.0)


def _permutations(
    labels: NDArray[np.int64], in_train: NDArray[np.bool_], rng: np.random.Generator
) -> NDArray[np.bool_]:
    """Assignments of whole groups to the sets, bool [b, n].

    Groups in random order go to train until it has its number of rows: with groups of one row each
    this is the permutation of rows.
    """
    count = int(labels.max()) + 1
    sizes = np.bincount(labels, minlength=count)
    wanted = int(in_train.sum())
    drawn = np.empty((PERMUTATIONS, len(labels)), dtype=bool)
    for row in drawn:
        order = rng.permutation(count)
        before = np.cumsum(sizes[order]) - sizes[order]
        chosen = np.zeros(count, dtype=bool)
        chosen[order[before + sizes[order] / 2 <= wanted]] = True
        row[:] = chosen[labels]
    return drawn
