"""Two workers measured in turn, and what came of it."""

from __future__ import annotations

import statistics
from dataclasses import dataclass

from benchmarks.worker import Run, Worker, difference


@dataclass(frozen=True)
class Comparison:
    """genmem and something else, in pairs of runs that were made one after the other.

    Attributes:
        ratios: rate of genmem over rate of the other, one per repetition. A machine whose speed
            drifts moves both sides of a pair alike.
        ours_seconds, other_seconds: medians of single runs.
        difference: of the values found, relative; None where they are not comparable.
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
        other: what it is compared with.
        rounds: repetitions.
        bracket: run the other before and after each of ours, and take the mean of the two rates.
    """
    pairs: list[tuple[Run, list[Run]]] = []
    for _ in range(rounds):
        before = [other.run()] if bracket else []
        mine = ours.run()
        pairs.append((mine, [*before, other.run()]))
    ratios = tuple(
        (ours.work / mine.seconds)
        / statistics.fmean(other.work / theirs.seconds for theirs in others)
        for mine, others in pairs
    )
    return Comparison(
        ratios=ratios,
        ours_seconds=statistics.median(mine.seconds for mine, _ in pairs),
        other_seconds=statistics.median(run.seconds for _, others in pairs for run in others),
        difference=difference(pairs[-1][0].values, pairs[-1][1][-1].values),
    )
