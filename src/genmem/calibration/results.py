"""The results of calibration: thresholds, margins, and the analysis of a competition's table."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from genmem.results import Interval, Json, fields_to_json, to_json

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Criterion = Literal["false_penalty", "error", "balanced_error"]
CRITERIA: tuple[Criterion, ...] = ("false_penalty", "error", "balanced_error")


@dataclass(frozen=True, kw_only=True)
class Threshold:
    """A threshold τ and what it does to the labelled distances; s < τ is penalized.

    Attributes:
        criterion: what τ was chosen for; None where it was given.
        tau: the threshold, a distance.
        caught: cheating entries below τ, of `cheating`.
        penalized: honest entries below τ, of `honest`.
        cheating: how many cheating entries there are.
        honest: how many honest entries there are.
        expected_false_penalty_rate: how often a further honest entry falls below a τ chosen by
            its false-penalty rate; None for other τ.
        caught_interval: of the share caught; None where τ was fitted to the cheating entries.
    """

    criterion: Criterion | None
    tau: float
    caught: int
    penalized: int
    cheating: int
    honest: int
    expected_false_penalty_rate: float | None = None
    caught_interval: Interval | None = None

    @property
    def errors(self) -> int:
        """Honest entries penalized and cheating ones not caught."""
        return self.penalized + self.cheating - self.caught

    @property
    def balanced_error(self) -> float:
        """The mean of the two groups' error rates."""
        missed = (self.cheating - self.caught) / self.cheating
        return (missed + self.penalized / self.honest) / 2

    def to_dict(self) -> dict[str, Json]:
        """The threshold as plain JSON."""
        optional = ("expected_false_penalty_rate", "caught_interval")
        known = fields_to_json(self, leave_out=("criterion",))
        values = {name: value for name, value in known.items() if name not in optional}
        values |= {"errors": self.errors, "balanced_error": to_json(self.balanced_error)}
        return values | {name: known[name] for name in optional if known[name] is not None}


@dataclass(frozen=True, kw_only=True)
class Dispersion:
    """The paper's "memorization margin" d(M) as printed, under the name of what it is.

    Attributes:
        total_squared_deviation: min over τ of Σ (s − τ)² = n · variance. It uses no labels and
            grows with n and with the scale of s.
        tau: its minimizer, which is the mean of s and separates nothing.
        n: distances that went in.
        relative_variance: variance / mean², which neither n nor the scale of s moves.
    """

    total_squared_deviation: float
    tau: float
    n: int
    relative_variance: float

    def to_dict(self) -> dict[str, Json]:
        """The dispersion as plain JSON."""
        return fields_to_json(self)


@dataclass(frozen=True, kw_only=True)
class Margins:
    """How far apart honest and cheating distances are; larger is better.

    Attributes:
        honest: how many honest distances.
        cheating: how many cheating distances.
        auc: probability that an honest distance exceeds a cheating one; 0.5 = no separation.
        d_prime: difference of the means in pooled standard deviations; NaN where there is none.
        gap: least honest − greatest cheating distance; negative where they overlap.
        normalized_gap: the gap in the same pooled standard deviations; NaN where there is none.
        dispersion: the paper's literal d(M).
        auc_interval: of the AUC; None for fewer than two distances on a side.
        d_prime_interval: of d′; None likewise, and for so few entries that redrawings of them
            are all equal.
    """

    honest: int
    cheating: int
    auc: float
    d_prime: float
    gap: float
    normalized_gap: float
    dispersion: Dispersion
    auc_interval: Interval | None = None
    d_prime_interval: Interval | None = None

    def to_dict(self) -> dict[str, Json]:
        """The margins as plain JSON."""
        values = fields_to_json(self)
        return {
            name: value
            for name, value in values.items()
            if value is not None or not name.endswith("_interval")
        }


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """A feature space's margins and thresholds from labelled distances.

    Attributes:
        space: the backbone's name, or the table's column.
        chosen: the criterion whose τ is the calibration's.
        thresholds: by criterion.
        margins: of the distances that τ is compared with (means over a set).
        image_margins: the same of single images' distances; None for a table.
        notes: sentences a reader of τ must know.
    """

    space: str
    chosen: Criterion
    thresholds: Mapping[Criterion, Threshold]
    margins: Margins
    image_margins: Margins | None = None
    notes: tuple[str, ...] = ()

    @property
    def tau(self) -> float:
        """The threshold of the chosen criterion."""
        return self.thresholds[self.chosen].tau

    def to_dict(self) -> dict[str, Json]:
        """The calibration as plain JSON."""
        return to_json(
            {
                "tau": self.tau,
                "criterion": self.chosen,
                "thresholds": self.thresholds,
                "margins": self.margins,
                **({"image_margins": self.image_margins} if self.image_margins else {}),
                "notes": self.notes,
            }
        )


@dataclass(frozen=True, kw_only=True)
class Agreement:
    """How alike two boards rank the same entries.

    Attributes:
        boards: their names.
        by: "fd", or "score" for FD with its penalty.
        group: "all" or "honest".
        n: entries.
        spearman: rank correlation; NaN where all are equal.
        mean_rank_difference: mean absolute difference of an entry's two ranks (ties share one).
        overlap: by k, the common members of the two top k.
    """

    boards: tuple[str, str]
    by: Literal["fd", "score"]
    group: str
    n: int
    spearman: float
    mean_rank_difference: float
    overlap: Mapping[int, int]

    def to_dict(self) -> dict[str, Json]:
        """The agreement as plain JSON."""
        share = to_json(self.mean_rank_difference / self.n)
        return {**fields_to_json(self), "mean_rank_difference_share": share}


@dataclass(frozen=True, kw_only=True)
class Review:
    """What a reviewer opens on the way to `top` clean entries; see `competition.review`.

    Attributes:
        top: clean entries wanted.
        opened: entries opened; all of them where `reached` is False.
        clean: of these, counted as clean.
        cheats: of these, removed as cheats.
        not_reviewed: of these, with a blank label.
        reached: whether `top` clean entries were found.
    """

    top: int
    opened: int
    clean: int
    cheats: int
    not_reviewed: int
    reached: bool

    def to_dict(self) -> dict[str, Json]:
        """The review as plain JSON."""
        return fields_to_json(self)


@dataclass(frozen=True, kw_only=True)
class ThresholdReview:
    """A review of one board under one threshold, in both readings of a blank label.

    Attributes:
        name: "no penalty", "in force", or the criterion τ was chosen by.
        tau: the threshold; None without a penalty.
        blank_is_neither: a blank entry is opened but holds no place.
        blank_is_clean: a blank entry holds its place.
        path: int64 [top], entries opened until 1, 2, … clean ones stand (blank is neither).
    """

    name: str
    tau: float | None
    blank_is_neither: Review
    blank_is_clean: Review
    path: NDArray[np.int64]

    def to_dict(self) -> dict[str, Json]:
        """The reviews as plain JSON, without the path."""
        values = fields_to_json(self, leave_out=("name", "path"))
        return {"penalty": self.name, **values}


@dataclass(frozen=True, kw_only=True)
class Correlation:
    """Pearson's correlation of FD and distance within one group of entries."""

    group: str
    n: int
    pearson: float
    interval: Interval | None = None

    def to_dict(self) -> dict[str, Json]:
        """The correlation as plain JSON."""
        return fields_to_json(self, leave_out=() if self.interval else ("interval",))


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """Cheating entries caught and honest ones penalized as τ moves.

    Attributes:
        taus: float64 [t], ascending.
        caught: int64 [t], of all cheating entries.
        penalized: int64 [t], of all honest entries.
    """

    taus: Floats
    caught: NDArray[np.int64]
    penalized: NDArray[np.int64]

    def to_dict(self) -> dict[str, Json]:
        """The sweep as plain JSON."""
        return fields_to_json(self)


@dataclass(frozen=True, kw_only=True)
class BoardResult:
    """One leaderboard: its entries' numbers and everything computed from them.

    Attributes:
        name: the board's name.
        fd: float64 [n].
        distance: float64 [n].
        calibration: margins and thresholds of the labelled entries.
        in_force: the τ the competition used and what it does; None where it is not given.
        sweep: what τ does between 0 and the largest labelled distance.
        correlations: of FD and distance: all, then by label.
        reviews: without a penalty, then by threshold.
        disqualified: entries the score column marks as such; None without a score column.
        reproduced: scores that FD, distance and the τ in force give again, of the others;
            None without a score column or a τ in force.
    """

    name: str
    fd: Floats
    distance: Floats
    calibration: Calibration
    in_force: Threshold | None
    sweep: Sweep
    correlations: tuple[Correlation, ...]
    reviews: tuple[ThresholdReview, ...]
    disqualified: int | None
    reproduced: int | None

    def to_dict(self) -> dict[str, Json]:
        """The results as plain JSON, without the entries."""
        return to_json(
            {
                "correlations": self.correlations,
                "calibration": self.calibration,
                "tau_in_force": self.in_force,
                "sweep": self.sweep,
                "reviews": self.reviews,
                "disqualified": self.disqualified,
                "scores_reproduced": self.reproduced,
            }
        )


@dataclass(frozen=True, kw_only=True)
class Analysis:
    """A competition's results table, analyzed.

    Attributes:
        source: the table's file name.
        digest: hex hash of its bytes.
        labels: one per entry, "" where it was not reviewed.
        honest_labels: the labels of honest entries.
        cheating_labels: the labels of cheating entries.
        boards: by name, in order.
        agreements: of every two boards.
        notes: sentences a reader must know.
    """

    source: str
    digest: str
    labels: tuple[str, ...]
    honest_labels: tuple[str, ...]
    cheating_labels: tuple[str, ...]
    boards: Mapping[str, BoardResult]
    agreements: tuple[Agreement, ...]
    notes: tuple[str, ...] = ()

    @property
    def counts(self) -> dict[str, int]:
        """Entries by label, honest labels first; "" is not reviewed."""
        named = (*self.honest_labels, *self.cheating_labels, "")
        return {name: count for name in named if (count := self.labels.count(name))}

    def to_dict(self) -> dict[str, Json]:
        """The analysis as plain JSON; the counts' key "" is spelt "not reviewed"."""
        return to_json(
            {
                "entries": len(self.labels),
                "labels": {name or "not reviewed": n for name, n in self.counts.items()},
                "boards": self.boards,
                "agreements": self.agreements,
                "notes": self.notes,
                "input": {"source": self.source, "digest": self.digest},
            }
        )
