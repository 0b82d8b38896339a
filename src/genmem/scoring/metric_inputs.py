"""What metrics can take as inputs: the sets of one comparison and what is derived from them once.

An entry of `genmem.metrics.registry` names its inputs; each name is an attribute of `MetricInputs`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from genmem.arrays import to_numpy
from genmem.images import Progress
from genmem.metrics.copied_fraction import relative_distances
from genmem.metrics.fd_ratio import FrechetRatio, frechet_ratio
from genmem.metrics.frechet import fd
from genmem.metrics.frechet_interval import fd_influence
from genmem.metrics.memorization_distance import zero_rows
from genmem.metrics.memorization_ratio import two_nearest_different
from genmem.metrics.moments import moments
from genmem.metrics.prdc import DENSITY_NEIGHBORHOOD, SUBSET_ROWS, subset_distances
from genmem.neighbors import Nearest, group_equal_rows, nearest_other
from genmem.reference.description import SEED
from genmem.reference.reference import ReferenceSpace
from genmem.results import Result
from genmem.scoring.protocols import DEFAULT_SETTINGS, MetricSettings
from genmem.scoring.searches import Remembered, join_searches, search_train
from genmem.set_statistics import Statistics
from genmem.yardstick.two_sample import TwoSample

Value = TypeVar("Value")


@dataclass
class MetricInputs:
    """The feature arrays of one comparison, float [n, d], and what several metrics share.

    Shared results are computed at first use.

    Attributes:
        generated, train, test: NumPy (memory-mapped too) or torch; `test` may be None, and `train`
            where there are `statistics`.
        logits: class logits of the generated images, float [n, c], or None.
        tau: MiFID's threshold, or None.
        seed: seed of everything random.
        statistics: of the training set, which take the place of the moments of `train`; or None.
        space: of the reference that `train` is the training set of, whose stored results take the
            place of searches; None where train is no reference.
        is_held_out: `test` is the held-out set of the same reference.
        settings: what the metrics leave open; a protocol may set it.
        both: Euclidean neighbors of the generated rows are wanted, not only those by cosine.
        remembered: what earlier scores against the same train and test computed; or None.
        progress: called with each stage.
        seconds: wall-clock seconds by stage, filled as the work is done.
    """

    generated: Any
    train: Any
    test: Any = None
    logits: Any = None
    tau: float | None = None
    seed: int = 0
    statistics: Statistics | None = None
    space: ReferenceSpace | None = None
    is_held_out: bool = False
    settings: MetricSettings = DEFAULT_SETTINGS
    both: bool = False
    remembered: Remembered | None = None
    progress: Progress | None = None
    seconds: dict[str, float] = field(default_factory=dict)

    @contextmanager
    def timed(self, stage: str) -> Iterator[None]:
        """Report a stage to the progress callback and add its time to `seconds`."""
        if self.progress:
            self.progress(stage, 0, None)
        started = time.perf_counter()
        yield
        self.seconds[stage] = self.seconds.get(stage, 0.0) + time.perf_counter() - started

    @property
    def train_rows(self) -> int:
        """Number of training rows."""
        return int(self.train.shape[0])

    @cached_property
    def train_moments(self) -> Any:
        """What FD takes of train: its statistics, its `Moments`, or (n ≤ d) train itself."""
        if self.statistics is not None:
            return self.statistics
        if self.space is not None and self.train.shape[0] > self.train.shape[1]:
            return self.space.moments
        with self.timed("moments of train"):
            return self._once("moments", lambda: _moments_or_rows(self.train))

    @cached_property
    def generated_moments(self) -> Any:
        """`Moments` of generated, or generated itself where it has no more rows than columns."""
        with self.timed("moments of generated"):
            return _moments_or_rows(self.generated)

    @cached_property
    def generated_fd(self) -> Result:
        """FD of generated, without its interval."""
        generated_moments, train_moments = self.generated_moments, self.train_moments
        with self.timed("fd"):
            return fd(generated=generated_moments, train=train_moments)

    @cached_property
    def test_ratio(self) -> FrechetRatio | None:
        """FD of as many generated and test rows; None without test."""
        if self.test is None:
            return None
        train_moments, of_generated = self.train_moments, None
        if self.generated.shape[0] <= self.test.shape[0]:
            of_generated = (self.generated_fd, self.influence)
        with self.timed("fd_ratio"):
            return frechet_ratio(
                generated=self.generated,
                train=train_moments,
                test=self.test,
                seed=self.seed,
                of_generated=of_generated,
            )

    @cached_property
    def influence(self) -> NDArray[np.float64] | None:
        """Influence of each generated row on FD, float64 [n]; None where n ≤ d."""
        if self.generated.shape[0] <= self.generated.shape[1]:
            return None
        generated_moments, train_moments = self.generated_moments, self.train_moments
        with self.timed("intervals"):
            return fd_influence(
                generated=self.generated, train=train_moments, moments=generated_moments
            )

    @property
    def generated_nearest(self) -> Nearest:
        """The `NEIGHBORS` training rows nearest to each generated row, by absolute cosine."""
        return self._generated_searches[0]

    @cached_property
    def _generated_searches(self) -> tuple[Nearest, Nearest | None]:
        """By absolute cosine and, where it is wanted, Euclidean: both at one product."""
        known = None if self.remembered is None else self.remembered.searches
        start = 0 if known is None else len(known[0].distances)
        if known is not None and start == int(self.generated.shape[0]):
            return known
        with self.timed("nearest training images of generated"):
            both = self.both and len(self._different) > 1
            searches = search_train(
                self.generated[start:], self.train, different=self._different if both else None
            )
        if known is not None:
            searches = join_searches(known, searches)
        if self.remembered is not None:
            self.remembered.searches = searches
        return searches

    @cached_property
    def test_nearest(self) -> Nearest | None:
        """The same of each test row; None without test."""
        if self.test is None:
            return None
        if self.space is not None and self.is_held_out:
            return self.space.test_cosine
        with self.timed("nearest training images of test, cosine"):
            return self._once("test, cosine", lambda: search_train(self.test, self.train)[0])

    @property
    def generated_distances(self) -> NDArray[np.float64]:
        """Distances of `generated_nearest`, float64 [n]."""
        return self.generated_nearest.distances[:, 0]

    @property
    def test_distances(self) -> NDArray[np.float64] | None:
        """Distances of `test_nearest`, float64 [n]; None without test."""
        return None if self.test_nearest is None else self.test_nearest.distances[:, 0]

    @property
    def generated_closeness(self) -> NDArray[np.float64]:
        """`relative_distances` of `generated_nearest`, float64 [n]."""
        return relative_distances(self.generated_nearest.distances)

    @property
    def test_closeness(self) -> NDArray[np.float64] | None:
        """`relative_distances` of `test_nearest`, float64 [n]; None without test."""
        return (
            None if self.test_nearest is None else relative_distances(self.test_nearest.distances)
        )

    @property
    def generated_matches(self) -> NDArray[np.int64]:
        """Row of the nearest training row of each generated row, int64 [n]."""
        return self.generated_nearest.indices[:, 0]

    @cached_property
    def zero_rows(self) -> NDArray[np.bool_]:
        """Generated rows of norm 0, which have no direction, bool [n]."""
        return zero_rows(self.generated)

    @cached_property
    def two_nearest(self) -> Nearest:
        """Two nearest, different training rows of each generated row, by Euclidean distance."""
        if self.both and len(self._different) > 1:
            searched = self._generated_searches[1]
            if searched is not None:
                return searched
        with self.timed("nearest training images of generated, Euclidean"):
            return two_nearest_different(self.generated, self.train, different=self._different)[0]

    @cached_property
    def test_two_nearest(self) -> Nearest | None:
        """As `two_nearest`, of each test row; None without test."""
        if self.test is None:
            return None
        if self.space is not None and self.is_held_out:
            return self.space.test_euclidean
        with self.timed("nearest training images of test, Euclidean"):
            return self._once(
                "test, Euclidean",
                lambda: two_nearest_different(self.test, self.train, different=self._different)[0],
            )

    @property
    def train_duplicates(self) -> int:
        """Number of training rows that are identical to an earlier one."""
        return self.train_rows - len(self._different)

    @cached_property
    def _different(self) -> NDArray[np.int64]:
        """Training rows that equal no earlier one, int64 [u], ascending."""
        if self.space is not None:
            return self.space.different_rows
        return self._once("different", lambda: group_equal_rows(self.train)[0])

    @property
    def train_gaps(self) -> NDArray[np.float64] | None:
        """Distance of each training row to the nearest other, Euclidean, where it is known.

        In a running score: of the rows that are nearest to a generated one; NaN for the others.
        """
        if self.space is not None:
            return self.space.euclidean.distances[:, 0]
        if self.remembered is None or self.train_rows < 2:
            return None
        gaps = self._once("gaps", lambda: np.full(self.train_rows, np.nan))
        touched = np.unique(self.two_nearest.indices[:, 0])
        new = touched[np.isnan(gaps[touched])]
        if len(new):
            gaps[new] = to_numpy(nearest_other(self.train, new, metric="euclidean"))
        return gaps

    @property
    def subset_rows(self) -> int | None:
        """Rows a set for precision, recall, density and coverage; None for all."""
        return self.settings.subset_rows

    @property
    def precision_neighborhood(self) -> int:
        """The k of precision and recall."""
        return self.settings.precision_neighborhood

    @property
    def density_neighborhood(self) -> int:
        """The k of density and coverage."""
        return self.settings.density_neighborhood

    @property
    def inception_split_rows(self) -> int | None:
        """Images of one split of the Inception score; None for ten shuffled splits."""
        return self.settings.inception_split_rows

    @property
    def subset_distances(self) -> NDArray[np.float64] | None:
        """What `prdc_on_subsets` takes of train's subset, where it is known."""
        if self.settings != DEFAULT_SETTINGS:
            return None
        rows = min(SUBSET_ROWS, self.train_rows, int(self.generated.shape[0]))
        if self.space is not None:
            return self.space.subset_distances(rows=rows, seed=self.seed)
        if self.remembered is None or rows <= DENSITY_NEIGHBORHOOD:
            return None
        return self._once(
            f"{rows} rows",
            lambda: subset_distances(self.train, rows, k=DENSITY_NEIGHBORHOOD, seed=self.seed),
        )

    @property
    def train_others(self) -> Nearest | None:
        """The nearest other training rows of each, by absolute cosine, where they are known."""
        return None if self.space is None else self.space.cosine

    @property
    def two_sample(self) -> TwoSample | None:
        """The two-sample test of train and test with this seed, where it is known."""
        known = self.space is not None and self.is_held_out and self.seed == SEED
        return self.space.two_sample if known and self.space is not None else None

    def _once(self, name: str, compute: Callable[[], Value]) -> Value:
        """What depends on train and test alone: computed once for all scores that remember it."""
        if self.remembered is None:
            return compute()
        if name not in self.remembered.fixed:
            self.remembered.fixed[name] = compute()
        return self.remembered.fixed[name]

    def nearest_distances(self) -> dict[str, NDArray[np.float64]]:
        """Cosine distances to the nearest training row, float64 [n], by role."""
        if self.train is None:
            return {}
        distances = {"generated": self.generated_distances}
        if self.test_distances is not None:
            distances["test"] = self.test_distances
        return distances


def _moments_or_rows(features: Any) -> Any:
    return moments(features) if features.shape[0] > features.shape[1] else features
