"""What `genmem.compare` returns."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass

from genmem.results import Interval, Json, Score, fields_to_json, to_json


@dataclass(frozen=True, kw_only=True)
class Difference:
    """One metric's difference between two models, `first` minus `second`.

    Attributes:
        metric: the metric's name.
        first, second: names of the models.
        value: the difference.
        interval: of 95 % for this pair; None where the metric has no intervals.
        separate: the two differ, also when all pairs of the comparison are judged together (95 %
            for all of them); None where the metric has no intervals.
    """

    metric: str
    first: str
    second: str
    value: float
    interval: Interval | None
    separate: bool | None

    def to_dict(self) -> dict[str, Json]:
        """The difference as plain JSON."""
        return fields_to_json(self)


@dataclass(frozen=True, kw_only=True)
class Rank:
    """A model's place by one metric; 1 is the best.

    Attributes:
        place: by value; equal values share the better place.
        low, high: the places that the differences leave open: `low` is one more than the number
            of models that are better for certain, `high` the number of models that are not worse
            for certain. Both are `place` where no model's metric has an interval.
    """

    place: int
    low: int
    high: int

    def to_dict(self) -> dict[str, Json]:
        """The rank as plain JSON."""
        return to_json(asdict(self))


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """The result of `genmem.compare`.

    Attributes:
        scores: by model, in the given order; their keys name the models.
        ranks: by metric, then by model; only metrics with a better direction, and only models that
            have a finite value.
        differences: of all pairs, for each metric of which two models have a finite value.
        notes: sentences about the comparison as a whole, and those of the scores, with the names
            of the models where not all have them.
    """

    scores: Mapping[str, Score]
    ranks: Mapping[str, Mapping[str, Rank]]
    differences: tuple[Difference, ...]
    notes: tuple[str, ...]

    def __getitem__(self, model: str) -> Score:
        return self.scores[model]

    @property
    def metrics(self) -> tuple[str, ...]:
        """Names of the metrics that any model has, in the registry's order."""
        return tuple(dict.fromkeys(name for one in self.scores.values() for name in one.metrics))

    def difference(self, metric: str, first: str, second: str) -> Difference:
        """The difference of two models, `first` minus `second`.

        Raises:
            KeyError: there is none in this order.
        """
        for one in self.differences:
            if (one.metric, one.first, one.second) == (metric, first, second):
                return one
        raise KeyError(f"no difference of {metric!r} between {first!r} and {second!r}")

    def to_dict(self) -> dict[str, Json]:
        """The object that `--json` prints."""
        return fields_to_json(self)
