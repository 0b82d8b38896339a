"""Mean and covariance of features, accumulated block by block in float64."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from genmem.arrays import (
    as_features,
    block_slices,
    check_at_least,
    copy_float64,
    to_numpy,
    too_large,
)
from genmem.backend import active_backend
from genmem.errors import InputError

RUN_BLOCKS = 16
"""Blocks whose moments are added up before they are merged with those of other runs."""


def moments(features: Any) -> Moments:
    """Count, mean and scatter of a whole feature array.

    Args:
        features: NumPy (memory-mapped too) or torch, [n, d], any floating dtype. One block of rows
            at a time is copied to float64, at most 64 MiB; besides it, a few [d, d] matrices.

    Raises:
        InputError: not [n, d] floating-point features, or not finite.
    """
    features = as_features(features, role="features")
    backend = active_backend()
    if backend is not None and (merged := backend.moments(features)) is not None:
        return merged
    total = Moments()
    for blocks in block_runs(int(features.shape[0]), int(features.shape[1])):
        run = Moments()
        for rows in blocks:
            run.add_rows(features[rows])
        total.merge(run)
    return total


def block_runs(count: int, dimension: int) -> Iterator[list[slice]]:
    """Yield the blocks of each run whose moments `moments` merges, in order.

    Workers that take whole runs get the bits of one process.

    Args:
        count: rows of the array.
        dimension: its columns.
    """
    blocks = list(block_slices(count, dimension))
    for start in range(0, len(blocks), RUN_BLOCKS):
        yield blocks[start : start + RUN_BLOCKS]


@dataclass
class Moments:
    """Running count, mean and scatter matrix, in float64; feed it with `update`.

    A block's scatter is taken about the block's own mean and then moved to the common one:

        S = S_a + S_b + δδᵀ·n_a·n_b / (n_a + n_b),   δ = mean_b − mean_a

    (Chan, Golub and LeVeque 1983, "Algorithms for computing the sample variance", eq. 2.1). No
    large numbers are subtracted, so features far from zero keep their digits, and blocks, workers
    and machines can be merged in any order.

    Attributes:
        count: rows seen.
        mean: float64 [d]; None before the first row.
        scatter: float64 [d, d], Σ (x − mean)(x − mean)ᵀ; None before the first row. Both are NumPy
            arrays, or tensors on the device of the features when that is CUDA.
    """

    count: int = 0
    mean: Any = None
    scatter: Any = None

    def update(self, block: Any) -> None:
        """Add rows.

        Args:
            block: NumPy or torch, [b, d], any floating dtype.

        Raises:
            InputError: not [b, d] floating-point features, not finite, or of another dimension
                than the rows before.
        """
        block = as_features(block, role="features")
        self._check_dimension(int(block.shape[1]))
        self.add_rows(block)

    def add_rows(self, block: Any) -> None:
        """`update` with rows that are checked already."""
        dimension = int(block.shape[1])
        for rows in block_slices(int(block.shape[0]), dimension):
            centred = copy_float64(block, rows)
            with np.errstate(over="ignore", invalid="ignore"):  # `compute` says so
                mean = centred.mean(0)
                centred -= mean
                self._add(int(centred.shape[0]), mean, centred.T @ centred)

    def merge(self, other: Moments) -> None:
        """Add what `other` has seen, as if its rows had been given to `update` here.

        Raises:
            InputError: the dimensions differ.
        """
        if other.count:
            self._check_dimension(int(other.mean.shape[0]))
            self._add(other.count, other.mean, other.scatter)

    def without(self, part: Moments) -> Moments:
        """The moments of the rows that are not in `part`, some of the rows seen here.

        `merge` solved for one of its two sides.
        """
        count = self.count - part.count
        mean = self.mean + (self.mean - part.mean) * (part.count / count)
        delta = part.mean - mean
        scatter = self.scatter - part.scatter
        scatter -= (delta * (count * part.count / self.count))[:, None] * delta[None, :]
        return Moments(count=count, mean=mean, scatter=scatter)

    def compute(self) -> tuple[Any, Any]:
        """Mean, float64 [d], and unbiased covariance scatter / (n − 1), float64 [d, d].

        Raises:
            InputError: fewer than two rows were seen, or the features are too large.
        """
        check_at_least(self.count, 2, role="features", why="a covariance takes two.")
        if not np.isfinite(float(self.scatter.diagonal().sum())):
            raise too_large("features")
        return self.mean, self.scatter / (self.count - 1)

    def _add(self, count: int, mean: Any, scatter: Any) -> None:
        if self.count == 0:
            self.count, self.mean, self.scatter = count, mean, scatter
            return
        if type(mean) is not type(self.mean):
            self.mean, self.scatter = to_numpy(self.mean), to_numpy(self.scatter)
            mean, scatter = to_numpy(mean), to_numpy(scatter)
        total = self.count + count
        delta = mean - self.mean
        # New arrays, never in place: the first block's may be another accumulator's.
        self.scatter = self.scatter + scatter
        self.scatter += (delta * (self.count * count / total))[:, None] * delta[None, :]
        self.mean = self.mean + delta * (count / total)
        self.count = total

    def _check_dimension(self, dimension: int) -> None:
        if self.count and int(self.mean.shape[0]) != dimension:
            raise InputError(
                f"features: expected dimension {int(self.mean.shape[0])} like the rows before, "
                f"got {dimension}. Extract all of them with the same backbone."
            )
