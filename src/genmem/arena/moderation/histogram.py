"""The histogram of memorization distances by label, and the thresholds that labels suggest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genmem.arena.competitions.models import Competition
from genmem.arena.leaderboards.cache import cached, score_state
from genmem.arena.moderation.consensus import COPYING, LEGITIMATE, NOT_REVIEWED, Consensus
from genmem.arena.moderation.selectors import consensus_by_submission, label_state
from genmem.arena.moderation.threshold_preview import SplitScores, split_scores
from genmem.calibration import auc, choose_threshold, d_prime
from genmem.calibration.results import Criterion, Threshold

UNSETTLED = "unsettled"
GROUPS = (LEGITIMATE, *COPYING, UNSETTLED)
"""The groups of the histogram. `UNSETTLED`: without a label, or labels of several kinds."""

GROUP_TITLES = {
    **{name: name for name in COPYING},
    LEGITIMATE: "Legitimate",
    "other": "Other copying",
    UNSETTLED: "No label, or disputed",
}
_BINS = 60
_TICK_STEPS = (0.01, 0.02, 0.05, 0.1, 0.2)


@dataclass(frozen=True)
class Bar:
    """One group's part of a bin; all in per cent of the plot's width or height, from top left."""

    group: str
    left: float
    top: float
    width: float
    height: float


@dataclass(frozen=True, kw_only=True)
class Histogram:
    """A plot of stacked bars.

    Attributes:
        end: the distance at the right edge; the left edge is 0.
        largest_count: the number of submissions at the top edge.
        bars: one per group and bin that is not empty.
        ticks: (distance as text, per cent from the left).
        lines: (count as text, per cent from the top).
        groups: (name, title) of those that occur.
    """

    end: float
    largest_count: int
    bars: Sequence[Bar]
    ticks: Sequence[tuple[str, float]]
    lines: Sequence[tuple[str, float]]
    groups: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class GroupCount:
    """How many submissions of one group are penalized at τ, and how many are not."""

    title: str
    penalized: int
    not_penalized: int


@dataclass(frozen=True, kw_only=True)
class Suggestion:
    """What the labels suggest for τ.

    Attributes:
        thresholds: pairs of a purpose and the threshold for it.
        honest, copying: how many labels they rest on.
        single: how many of these labels are by one reviewer only.
        auc, d_prime: how well the distances separate the two (`genmem.calibration`).
    """

    thresholds: Sequence[tuple[str, Threshold]]
    honest: int
    copying: int
    single: int
    auc: float
    d_prime: float


@dataclass(frozen=True, kw_only=True)
class LabelledDistances:
    """The memorization distances of one split, by label.

    Attributes:
        scores: of all submissions.
        groups: index in `GROUPS` of each submission's group, int64 [n].
        plot: the histogram.
        suggestion: None where labels of one kind are missing.
    """

    scores: SplitScores
    groups: NDArray[np.int64]
    plot: Histogram
    suggestion: Suggestion | None


def labelled_distances(competition: Competition, kind: str) -> LabelledDistances | None:
    """The distances on one split; None where no submission has a score there."""
    scores = split_scores(competition, kind)
    if scores is None or not scores.ids:
        return None

    def compute() -> tuple[NDArray[np.int64], Histogram, Suggestion | None]:
        consensus = consensus_by_submission(competition)
        groups = group_indices(scores.ids, consensus)
        return groups, histogram(scores.distance, groups), suggest(scores, groups, consensus)

    key = "labelled distances", competition.pk, kind
    groups, plot, suggestion = cached(key, (score_state(), label_state()), compute)
    return LabelledDistances(scores=scores, groups=groups, plot=plot, suggestion=suggestion)


def group_indices(ids: Sequence[str], consensus: Mapping[str, Consensus]) -> NDArray[np.int64]:
    """The index in `GROUPS` of each submission's group, int64 [n].

    The group is the settled label, or else the label of all its reviewers.
    """
    indices = {name: index for index, name in enumerate(GROUPS)}
    by_submission = (consensus.get(pk, NOT_REVIEWED) for pk in ids)
    groups = [indices[row.label or row.unanimous or UNSETTLED] for row in by_submission]
    return np.array(groups, dtype=np.int64)


def histogram(distances: NDArray[np.float64], groups: NDArray[np.int64]) -> Histogram:
    """Stack bars of the distances by group.

    Args:
        distances: float64 [n]; NaN is left out.
        groups: of `group_indices`, int64 [n].
    """
    known = ~np.isnan(distances)
    values, groups = distances[known], groups[known]
    largest = float(values.max(initial=0.1))
    step = next((step for step in _TICK_STEPS if largest / step <= 10), 0.5)
    end = min(step * np.ceil(largest / step + 1e-9), 2.0)
    edges = np.linspace(0, end, _BINS + 1)
    counts = {
        group: np.histogram(values[groups == index], edges)[0]
        for index, group in enumerate(GROUPS)
        if (groups == index).any()
    }
    total = sum(counts.values(), np.zeros(_BINS, dtype=np.int64))
    largest_count = max(1, int(total.max(initial=1)))
    bars, width = [], 100 / _BINS
    stacked = np.zeros(_BINS, dtype=np.int64)
    for group, group_counts in counts.items():
        stacked = stacked + group_counts
        bars += [
            Bar(
                group=group,
                left=round(place * width, 3),
                top=round(100 * (1 - stacked[place] / largest_count), 3),
                width=round(width * 0.92, 3),
                height=round(100 * group_counts[place] / largest_count, 3),
            )
            for place in np.flatnonzero(group_counts)
        ]
    ticks = np.arange(0, end + step / 2, step)
    return Histogram(
        end=float(end),
        largest_count=largest_count,
        bars=bars,
        ticks=[(f"{tick:g}", round(100 * float(tick) / end, 3)) for tick in ticks.round(4)],
        lines=[
            (f"{count:,}", round(100 * (1 - count / largest_count), 3))
            for count in _round_counts(largest_count)
        ],
        groups=[(group, GROUP_TITLES[group]) for group in counts],
    )


def group_counts(
    distances: NDArray[np.float64], groups: NDArray[np.int64], tau: float
) -> list[GroupCount]:
    """Count the penalized submissions of each group that occurs.

    Args:
        distances: float64 [n]; NaN is left out.
        groups: of `group_indices`, int64 [n].
        tau: the threshold.
    """
    known = ~np.isnan(distances)
    total = np.bincount(groups[known], minlength=len(GROUPS)).tolist()
    penalized = np.bincount(groups[known & (distances < tau)], minlength=len(GROUPS)).tolist()
    return [
        GroupCount(GROUP_TITLES[group], penalized[index], total[index] - penalized[index])
        for index, group in enumerate(GROUPS)
        if total[index]
    ]


def suggest(
    scores: SplitScores, groups: NDArray[np.int64], consensus: Mapping[str, Consensus]
) -> Suggestion | None:
    """The thresholds that the labels suggest; None where one of the two kinds is missing.

    Args:
        scores: of the submissions.
        groups: of `group_indices`, int64 [n].
        consensus: by submission id.
    """
    known = ~np.isnan(scores.distance)
    honest = known & (groups == GROUPS.index(LEGITIMATE))
    copying = known & (groups > 0) & (groups < GROUPS.index(UNSETTLED))
    if not honest.any() or not copying.any():
        return None
    single = np.array([not consensus.get(pk, NOT_REVIEWED).label for pk in scores.ids])
    near, far = scores.distance[copying], scores.distance[honest]
    purposes: dict[str, Criterion] = {
        "Fewest errors": "error",
        "No legitimate one penalized": "false_penalty",
    }
    thresholds = [
        (purpose, choose_threshold(honest=far, cheating=near, criterion=criterion))
        for purpose, criterion in purposes.items()
    ]
    return Suggestion(
        thresholds=[(purpose, row) for purpose, row in thresholds if 0 < row.tau <= 1],
        honest=int(honest.sum()),
        copying=int(copying.sum()),
        single=int((single & (honest | copying)).sum()),
        auc=auc(honest=far, cheating=near),
        d_prime=d_prime(honest=far, cheating=near),
    )


def _round_counts(largest: int) -> list[int]:
    """Two to four round counts up to the largest."""
    unit = 10 ** int(np.floor(np.log10(largest)))
    step = next(s for s in (5 * unit, 2 * unit, unit) if 2 * s <= largest or s == unit)
    return list(range(step, largest + 1, step))[:4]
