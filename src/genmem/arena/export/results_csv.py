"""`results.csv`: the scores in force with the columns that `genmem analyze` reads."""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass
from pathlib import Path

from genmem.arena.competitions.models import split_in_force
from genmem.arena.export.schema import Scope
from genmem.arena.leaderboards.cache import current_scores
from genmem.arena.leaderboards.ranking import ScoredSubmission
from genmem.arena.moderation.consensus import LEGITIMATE, NOT_REVIEWED, OTHER
from genmem.arena.moderation.selectors import consensus_by_submission
from genmem.arena.submissions.models import Submission
from genmem.calibration import PUBLIC_TABLE, Labels
from genmem.calibration.tables import DISQUALIFIED

FILE = "results.csv"
_LABELS = {LEGITIMATE: "non-mem", OTHER: "cheating"}
"""Labels that differ in `genmem analyze`; the others are the same in lower case."""


@dataclass(frozen=True, kw_only=True)
class Results:
    """What `results.csv` holds.

    Attributes:
        rows: number of submissions in the table.
        left_out: number of scored submissions without a Fréchet or memorization distance.
        honest, cheating: numbers of submissions labelled so; `genmem analyze` needs both.
        command: analyses the table.
    """

    rows: int
    left_out: int
    honest: int
    cheating: int
    command: str


def write_results(scope: Scope, path: Path) -> Results:
    """Write one row per scored submission, in order of receipt.

    The score of a disqualified submission is 999999 on every split; its distances are unchanged.
    Labels are those that two reviewers agree on; else the cell is empty.
    """
    scores = {
        kind: {row.id: row for row in current_scores(scope.competition, kind)}
        for kind in scope.kinds
    }
    consensus = consensus_by_submission(scope.competition) if scope.private else {}
    rows = left_out = honest = cheating = 0
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(_header(scope))
        for pk in _scored(scope):
            by_kind = [scores[kind].get(str(pk)) for kind in scope.kinds]
            known = [row for row in by_kind if row is not None and _complete(row)]
            if len(known) < len(by_kind):
                left_out += 1
                continue
            label = consensus.get(str(pk), NOT_REVIEWED).label
            label = _LABELS.get(label, label.lower())
            disqualified = pk in scope.disqualified
            values = [f"{DISQUALIFIED:.0f}" if disqualified else repr(row.score) for row in known]
            values += [repr(row.fd) for row in known] + [repr(row.distance) for row in known]
            writer.writerow([pk, *values, label])
            rows += 1
            honest += label in Labels().honest
            cheating += label in Labels().cheating
    return Results(
        rows=rows,
        left_out=left_out,
        honest=honest,
        cheating=cheating,
        command=_command(scope),
    )


def _header(scope: Scope) -> list[str]:
    """Column names, in the order of the published table."""
    tables = [PUBLIC_TABLE[kind] for kind in scope.kinds]
    return [
        "submission_id",
        *(str(table.score) for table in tables),
        *(table.fd for table in tables),
        *(table.distance for table in tables),
        "labels",
    ]


def _scored(scope: Scope) -> list:
    """Ids of the scored submissions, in order of receipt."""
    return list(
        Submission.objects.filter(team__competition=scope.competition, state="scored")
        .order_by("received_at", "pk")
        .values_list("pk", flat=True)
    )


def _complete(row: ScoredSubmission) -> bool:
    numbers = (row.fd, row.distance, row.score)
    return all(number is not None and math.isfinite(number) for number in numbers)


def _command(scope: Scope) -> str:
    """The analysis of this table, with the τ in force on each split."""
    parts = [f"genmem analyze {FILE} --out analysis"]
    for kind in scope.kinds:
        board = PUBLIC_TABLE[kind]
        if not scope.private:
            parts.append(f"--board {kind}={board.fd},{board.distance},{board.score}")
        split = split_in_force(scope.competition, kind)
        if split is not None:
            parts.append(f"--tau {kind}={split.tau}")
    return " ".join(parts)
