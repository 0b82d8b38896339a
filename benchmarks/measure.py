"""Two workers, measured in turn."""

from __future__ import annotations

import statistics
from dataclasses import dataclass

from benchmarks.worker import Run, Worker, difference


@dataclass(frozen=True)
class Comparison:
    """Pairs of runs of genmem and another side, one right after the other.

    Attributes:
        ratios: rate of genmem over rate of the other, one per repetition. A machine whose speed
            drifts moves both sides of a pair alike.
        ours_seconds, other_seconds: medians of single runs.
        difference: between the values, relative; None if they are not comparable.
    """

    ratios: tuple[float, ...]
    ours_seconds: float
    other_seconds: float
    difference: float | None

    @property
    def ratio(self) -> float:
        """Median of the ratios."""
        return statistics.median(self.ratios)

    @property
    def span(self) -> tuple[float, float]:
        """Smallest and largest ratio."""
        return min(self.ratios), max(self.ratios)


def compare(ours: Worker, other: Worker, *, rounds: int, bracket: bool = False) -> Comparison:
    """Run both in turn.

    Args:
        ours: genmem's side.
        other: the other side.
        rounds: repetitions.
        bracket: run the other side before and after each of ours, and average the two.
    """
    pairs: list[tuple[Run, list[Run]]] = []
    for _ in range(rounds):
        before = [other.run()] if bracket else []
        our_run = ours.run()
        pairs.append((our_run, [*before, other.run()]))
    ratios = tuple(
        (ours.work / our_run.seconds) / statistics.fmean(other.work / run.seconds for run in others)
        for our_run, others in pairs
    )
    return Comparison(
        ratios=ratios,
        ours_seconds=statistics.median(run.seconds for run, _ in pairs),
        other_seconds=statistics.median(run.seconds for _, others in pairs for run in others),
        difference=difference(pairs[-1][0].values, pairs[-1][1][-1].values),
    )
