"""The histogram of distances by label, and the thresholds that labels suggest; no Django here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genmem.arena.competitions.models import Competition
from genmem.arena.leaderboards.cache import kept, score_stamp
from genmem.arena.moderation.consensus import COPYING, LEGITIMATE, NOT_REVIEWED, Verdict
from genmem.arena.moderation.selectors import label_stamp, verdicts_now
from genmem.arena.moderation.snapshot import Snapshot, snapshot
from genmem.calibration import auc, d_prime, threshold
from genmem.calibration.results import Threshold


@dataclass(frozen=True, kw_only=True)
class Labelled:
    """Attributes:
    snapshot: the scores.
    codes: the group of each submission's label (`histogram.GROUPS`), int64 [n].
    plot: the histogram of the distances.
    suggestion: what the labels say about τ; None where there are too few.
    """

    snapshot: Snapshot
    codes: NDArray[np.int64]
    plot: Histogram
    suggestion: Suggestion | None


def labelled(competition: Competition, kind: str) -> Labelled | None:
    """What stands now on one split; None where no submission has a score there."""
    found = snapshot(competition, kind)
    if found is None or not found.ids:
        return None

    def make() -> tuple[NDArray[np.int64], Histogram, Suggestion | None]:
        verdicts = verdicts_now(competition)
        codes = codes_of(found.ids, verdicts)
        return (
            codes,
            histogram(found.distance, codes),
            suggestion(found.ids, found.distance, verdicts),
        )

    codes, plot, suggested = kept(
        ("labelled", competition.pk, kind), (score_stamp(), label_stamp()), make
    )
    return Labelled(snapshot=found, codes=codes, plot=plot, suggestion=suggested)


GROUPS = (LEGITIMATE, *COPYING, "unsettled")
"""The groups of the histogram; in `unsettled` are those without a label or with several kinds."""

WORDS = {
    **{name: name for name in COPYING},
    LEGITIMATE: "Legitimate",
    "other": "Other copying",
    "unsettled": "No label, or disputed",
}
_BINS = 60
_NICE = (0.01, 0.02, 0.05, 0.1, 0.2)


@dataclass(frozen=True)
class Bar:
    """A part of one bin; all in per cent of the plot's width or height, from its top left."""

    group: str
    left: float
    top: float
    width: float
    height: float


@dataclass(frozen=True, kw_only=True)
class Histogram:
    """A plot of stacked bars from 0 to `end`, at most `most` submissions high.

    Attributes:
        bars: the bars' parts.
        ticks: (distance as text, per cent from the left).
        lines: (count as text, per cent from the top).
        groups: those that occur, with their words.
    """

    end: float
    most: int
    bars: Sequence[Bar]
    ticks: Sequence[tuple[str, float]]
    lines: Sequence[tuple[str, float]]
    groups: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Below:
    """How many of one group are below τ."""

    group: str
    word: str
    below: int
    total: int

    @property
    def above(self) -> int:
        """Those that are not penalised."""
        return self.total - self.below


@dataclass(frozen=True, kw_only=True)
class Suggestion:
    """What the labels say about τ.

    Attributes:
        thresholds: by what each is good for.
        honest, copying: labels they rest on.
        single: how many of these are by one reviewer only.
        auc, d_prime: how well the distances tell the two apart (`genmem.calibration`).
    """

    thresholds: Sequence[tuple[str, Threshold]]
    honest: int
    copying: int
    single: int
    auc: float
    d_prime: float


def group_of(found: Verdict) -> str:
    """The group of a submission: its verdict, or the only kind of label it has."""
    return found.label or found.leaning or "unsettled"


def codes_of(ids: Sequence[str], verdicts: Mapping[str, Verdict]) -> NDArray[np.int64]:
    """The place in `GROUPS` of each submission's group, int64 [n]."""
    places = {name: place for place, name in enumerate(GROUPS)}
    return np.array(
        [places[group_of(verdicts.get(one, NOT_REVIEWED))] for one in ids], dtype=np.int64
    )


def histogram(distances: NDArray[np.float64], codes: NDArray[np.int64]) -> Histogram:
    """Stacked bars of the distances, by group.

    Args:
        distances: float64 [n]; NaN is left out.
        codes: of `codes_of`, int64 [n].
    """
    known = ~np.isnan(distances)
    values, codes = distances[known], codes[known]
    largest = float(values.max(initial=0.1))
    step = next((one for one in _NICE if largest / one <= 10), 0.5)
    end = min(step * np.ceil(largest / step + 1e-9), 2.0)
    edges = np.linspace(0, end, _BINS + 1)
    counts = {
        group: np.histogram(values[codes == place], edges)[0]
        for place, group in enumerate(GROUPS)
        if (codes == place).any()
    }
    stacked = sum(counts.values(), np.zeros(_BINS, dtype=np.int64))
    most = max(1, int(stacked.max(initial=1)))
    bars, width = [], 100 / _BINS
    below = np.zeros(_BINS, dtype=np.int64)
    for group, found in counts.items():
        below = below + found
        for place in np.flatnonzero(found):
            bars.append(
                Bar(
                    group=group,
                    left=round(place * width, 3),
                    top=round(100 * (1 - below[place] / most), 3),
                    width=round(width * 0.92, 3),
                    height=round(100 * found[place] / most, 3),
                )
            )
    ticks = np.arange(0, end + step / 2, step)
    return Histogram(
        end=float(end),
        most=most,
        bars=bars,
        ticks=[(f"{tick:g}", round(100 * float(tick) / end, 3)) for tick in ticks.round(4)],
        lines=[(f"{count:,}", round(100 * (1 - count / most), 3)) for count in _counts(most)],
        groups=[(group, WORDS[group]) for group in counts],
    )


def below(distances: NDArray[np.float64], codes: NDArray[np.int64], tau: float) -> list[Below]:
    """Of each group that occurs, how many are below τ.

    Args:
        distances: float64 [n]; NaN is left out.
        codes: of `codes_of`, int64 [n].
        tau: the threshold.
    """
    known = ~np.isnan(distances)
    total = np.bincount(codes[known], minlength=len(GROUPS)).tolist()
    penalised = np.bincount(codes[known & (distances < tau)], minlength=len(GROUPS)).tolist()
    return [
        Below(group, WORDS[group], penalised[place], total[place])
        for place, group in enumerate(GROUPS)
        if total[place]
    ]


def suggestion(
    ids: Sequence[str], distances: NDArray[np.float64], verdicts: Mapping[str, Verdict]
) -> Suggestion | None:
    """The thresholds that the labels suggest; None where one of the two kinds is missing."""
    codes = codes_of(ids, verdicts)
    known = ~np.isnan(distances)
    honest = known & (codes == GROUPS.index(LEGITIMATE))
    copying = known & (codes > 0) & (codes < GROUPS.index("unsettled"))
    if not honest.any() or not copying.any():
        return None
    single = np.array([not verdicts.get(one, NOT_REVIEWED).label for one in ids])
    near, far = distances[copying], distances[honest]
    thresholds = [
        ("Fewest errors", threshold(honest=far, cheating=near, criterion="error")),
        (
            "No legitimate one penalised",
            threshold(honest=far, cheating=near, criterion="false_penalty"),
        ),
    ]
    return Suggestion(
        thresholds=[(name, one) for name, one in thresholds if 0 < one.tau <= 1],
        honest=int(honest.sum()),
        copying=int(copying.sum()),
        single=int((single & (honest | copying)).sum()),
        auc=auc(honest=far, cheating=near),
        d_prime=d_prime(honest=far, cheating=near),
    )


def _counts(most: int) -> list[int]:
    """Two to four round counts up to `most`."""
    unit = 10 ** int(np.floor(np.log10(most)))
    step = next(one for one in (5 * unit, 2 * unit, unit) if 2 * one <= most or one == unit)
    return list(range(step, most + 1, step))[:4]
