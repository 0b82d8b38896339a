"""The scores of one side with what their labels come to: what the page of distances shows."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genmem.arena.boards.kept import kept, score_stamp
from genmem.arena.competitions.models import Competition
from genmem.arena.desk.histogram import Histogram, Suggestion, codes_of, histogram, suggestion
from genmem.arena.desk.snapshot import Snapshot, snapshot
from genmem.arena.desk.standing import label_stamp, verdicts_now


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
    """What stands now on one side; None where no submission has a score there."""
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
