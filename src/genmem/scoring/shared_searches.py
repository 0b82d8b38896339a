"""The feature arrays of one comparison, and what several metrics take from them, found once."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genmem.arrays import to_numpy
from genmem.images import Progress
from genmem.metrics.frechet_interval import fd_influence
from genmem.metrics.memorization_ratio import two_nearest_different
from genmem.metrics.moments import moments
from genmem.neighbors import Nearest, nearest


@dataclass
class Sets:
    """The feature arrays of one comparison, float [n, d], and what is derived from several times.

    Attributes:
        generated, train, test: NumPy (memory-mapped too) or torch; `test` may be None.
        logits: class logits of the generated images, float [n, c], or None.
        seconds: wall-clock seconds by stage, filled as the work is done.
    """

    generated: Any
    train: Any
    test: Any = None
    logits: Any = None
    progress: Progress | None = None
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Time a stage and tell the progress callback about it."""
        if self.progress:
            self.progress(stage, 0, None)
        started = time.perf_counter()
        yield
        self.seconds[stage] = self.seconds.get(stage, 0.0) + time.perf_counter() - started

    @cached_property
    def train_moments(self) -> Any:
        """Mean and covariance of train; its rows themselves where they are fewer than columns."""
        with self.timed("moments of train"):
            enough = self.train.shape[0] > self.train.shape[1]
            return moments(self.train) if enough else self.train

    @cached_property
    def generated_moments(self) -> Any:
        """The same of generated."""
        with self.timed("moments of generated"):
            enough = self.generated.shape[0] > self.generated.shape[1]
            return moments(self.generated) if enough else self.generated

    @cached_property
    def influence(self) -> NDArray[np.float64] | None:
        """Of each generated row on FD; None with no more rows than dimensions."""
        if self.generated.shape[0] <= self.generated.shape[1]:
            return None
        ours, theirs = self.generated_moments, self.train_moments
        with self.timed("intervals"):
            return fd_influence(generated=self.generated, train=theirs, moments=ours)

    @cached_property
    def generated_nearest(self) -> Nearest:
        """Absolute-cosine search of generated in train."""
        with self.timed("nearest training images of generated, cosine"):
            return _search(self.generated, self.train, metric="absolute_cosine")

    @cached_property
    def test_nearest(self) -> Nearest:
        """Absolute-cosine search of test in train."""
        with self.timed("nearest training images of test, cosine"):
            return _search(self.test, self.train, metric="absolute_cosine")

    @cached_property
    def two_nearest(self) -> tuple[Nearest, int]:
        """Euclidean search of generated in train, two different rows; duplicates in train."""
        with self.timed("nearest training images of generated, Euclidean"):
            return two_nearest_different(self.generated, self.train)


def _search(queries: Any, references: Any, *, metric: Any) -> Nearest:
    found = nearest(queries, references, metric=metric)
    return Nearest(to_numpy(found.distances), to_numpy(found.indices))


def nearest_distances(sets: Sets) -> dict[str, NDArray[np.float64]]:
    """Absolute-cosine distance to the nearest training row, float64 [n], by role."""
    found = {"generated": sets.generated_nearest.distances[:, 0]}
    if sets.test is not None:
        found["test"] = sets.test_nearest.distances[:, 0]
    return found
