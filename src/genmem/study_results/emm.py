"""Results of a study of effective model memorization, from a snapshot up to the whole study."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Any

from pydantic import Field

from genmem.io.documents import Document
from genmem.results import Interval

Share = Annotated[float, Field(ge=0, le=1)]
Distance = Annotated[float, Field(ge=0)]


@dataclass(frozen=True, kw_only=True)
class Snapshot:
    """The memorization ratio after so many steps, with its 95 % interval (Clopper and Pearson).

    Attributes:
        step: of training.
        ratio: share of the samples that are memorized.
        low, high: ends of the interval.
        samples: how many were drawn.
    """

    step: Annotated[int, Field(ge=1)]
    ratio: Share
    low: Share
    high: Share
    samples: Annotated[int, Field(ge=1)]


@dataclass(frozen=True, kw_only=True)
class MemorizedSample:
    """A sample beside the two training images nearest to it.

    Attributes:
        sample: its number.
        d1, d2: Euclidean distances to the two, in pixels of 8 bits.
        ratio: d1/d2.
        nearest, second: ids of the two.
        images: PNGs of all three in base64.
    """

    sample: Annotated[int, Field(ge=0)]
    d1: Distance
    d2: Distance
    ratio: Distance
    nearest: str
    second: str
    images: tuple[str, str, str]


@dataclass(frozen=True, kw_only=True)
class TrialResult(Document):
    """What one training found.

    Attributes:
        ratio: the largest over the snapshots.
        step: of the snapshot with that ratio.
        snapshots: the ratios of all.
        duplicates: training images that repeat an earlier one.
        digest: of the training images.
        memorized_samples: of that snapshot, the smallest d1/d2 first.
    """

    ratio: Share
    step: Annotated[int, Field(ge=1)]
    snapshots: Annotated[tuple[Snapshot, ...], Field(min_length=1)]
    duplicates: Annotated[int, Field(ge=0)]
    digest: str
    memorized_samples: tuple[MemorizedSample, ...]


@dataclass(frozen=True, kw_only=True)
class CurveTrial:
    """A finished trial of a curve: its |D|, its seed and what it found."""

    size: int
    seed: int
    result: TrialResult


@dataclass(frozen=True, kw_only=True)
class MeanRatio:
    """The memorization ratio at one |D|, over seeds.

    Attributes:
        size: |D|.
        ratio: the mean.
        interval: 95 %; None for one seed, and where all seeds agree.
        seeds: how many.
        difference: mean difference to the first configuration of the factor, seed by seed; None
            where no seed has both.
        difference_interval: as `interval`.
        difference_seeds: how many have both.
    """

    size: int
    ratio: float
    interval: Interval | None
    seeds: int
    difference: float | None
    difference_interval: Interval | None
    difference_seeds: int


@dataclass(frozen=True, kw_only=True)
class Search:
    """One seed's search for the EMM.

    Attributes:
        seed: of the trials.
        low: largest |D| with a ratio of at least 1 − ε; None: there is none yet.
        high: smallest |D| above it, with a ratio below; None: there is none yet.
        done: whether no size between the two is left to be trained.
        emm: by interpolation; None: not done, or an end is missing.
        trials: how many were trained.
        monotone: whether no ratio rises with |D|.
    """

    seed: int
    low: int | None
    high: int | None
    done: bool
    emm: float | None
    trials: int
    monotone: bool


@dataclass(frozen=True, kw_only=True)
class Emm:
    """The effective model memorization over seeds.

    Attributes:
        value: geometric mean over seeds; None where a seed has none.
        interval: 95 %; None for one seed, and where all seeds agree.
        text: what is known where there is no value, or why there is no interval; else None.
    """

    value: float | None
    interval: Interval | None
    text: str | None


@dataclass(frozen=True, kw_only=True)
class Curve:
    """One configuration of a study.

    Attributes:
        factor: the factor that is varied; "": none.
        title: of the factor, for a heading.
        meaning: what its values are.
        value: of the factor, as on the command line.
        trials: those that are finished.
        means: by |D|.
        searches: by seed.
        emm: over seeds.
    """

    factor: str
    title: str
    meaning: str
    value: str
    trials: tuple[CurveTrial, ...]
    means: tuple[MeanRatio, ...]
    searches: tuple[Search, ...]
    emm: Emm

    @property
    def label(self) -> str:
        """The name in legends and tables."""
        return self.value if self.factor else "all as set"

    def mean_at(self, size: int) -> MeanRatio | None:
        """The mean at one |D|; None where nothing was trained."""
        return next((mean for mean in self.means if mean.size == size), None)


@dataclass(frozen=True, kw_only=True)
class EmmResults(Document):
    """Everything that a study's finished trials say.

    Attributes:
        source, second_source: names of the sources of images.
        images: how many the first source has.
        epsilon: ε.
        threshold: 1 − ε.
        sizes: training-set sizes, ascending.
        every_size: whether all sizes are trained, instead of a search for the EMM.
        seeds: how many.
        base: the configuration that every factor is varied from.
        curves: one for each configuration.
        trials: finished ones in all.
        finished: whether no trial is left.
        notes: sentences for readers.
    """

    source: str
    second_source: str | None
    images: int
    epsilon: float
    threshold: float
    sizes: tuple[int, ...]
    every_size: bool
    seeds: int
    base: dict[str, Any]
    curves: tuple[Curve, ...]
    trials: int
    finished: bool
    notes: tuple[str, ...]

    @property
    def factors(self) -> tuple[str, ...]:
        """Names of the factors, in the order asked for."""
        return tuple(dict.fromkeys(curve.factor for curve in self.curves))

    def curves_of(self, factor: str) -> list[Curve]:
        """The curves of one factor."""
        return [curve for curve in self.curves if curve.factor == factor]
