"""`results.csv`: the scores in force with the columns that `genmem analyze` reads."""

from __future__ import annotations

import csv
import math
from dataclasses import dataclass
from pathlib import Path

from genmem.arena.competitions.models import split_in_force
from genmem.arena.export.schema import Scope
from genmem.arena.export.tables import kinds
from genmem.arena.leaderboards.disqualification import disqualified_ids
from genmem.arena.leaderboards.models import ScoreVersion
from genmem.arena.moderation.consensus import LEGITIMATE, NOT_REVIEWED, OTHER
from genmem.arena.moderation.selectors import consensus_by_submission
from genmem.arena.submissions.models import Submission
from genmem.calibration import PUBLIC_TABLE, Labels
from genmem.calibration.tables import DISQUALIFIED

FILE = "results.csv"
_NAMES = {LEGITIMATE: "non-mem", OTHER: "cheating"}
"""Labels that `genmem analyze` calls otherwise; the rest are the same in small letters."""


@dataclass(frozen=True, kw_only=True)
class Results:
    """What was written.

    Attributes:
        rows: submissions in the table.
        left_out: scored ones that lack a Fréchet distance or a distance.
        honest, cheating: labelled so; `genmem analyze` needs both.
        command: what analyses the table.
    """

    rows: int
    left_out: int
    honest: int
    cheating: int
    command: str


def write_results(scope: Scope, path: Path) -> Results:
    """One row per scored submission, in order of receipt.

    A disqualified one has the mark 999999 for its scores, on every board, as it is on none; its
    distances stand. Labels are those that two reviewers agree on; blank is none.
    """
    splits = kinds(scope)
    versions = _in_force(scope)
    disqualified = disqualified_ids(scope.competition)
    agreed = consensus_by_submission(scope.competition) if scope.private else {}
    mark = f"{DISQUALIFIED:.0f}"
    rows = left_out = honest = cheating = 0
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(_header(splits))
        for key in _order(scope):
            found = [versions.get((key, split)) for split in splits]
            if any(one is None or not _known(one) for one in found):
                left_out += 1
                continue
            label = agreed.get(str(key), NOT_REVIEWED).label
            name = _NAMES.get(label, label.lower())
            scores = [mark if key in disqualified else repr(one[2]) for one in found if one]
            numbers = [repr(one[at]) for at in (0, 1) for one in found if one]
            writer.writerow([key, *scores, *numbers, name])
            rows += 1
            honest += name in Labels().honest
            cheating += name in Labels().cheating
    return Results(
        rows=rows,
        left_out=left_out,
        honest=honest,
        cheating=cheating,
        command=_command(scope),
    )


def _header(splits: tuple[str, ...]) -> list[str]:
    """In the order of the published table."""
    boards = [PUBLIC_TABLE[split] for split in splits]
    return [
        "submission_id",
        *(str(one.score) for one in boards),
        *(one.fd for one in boards),
        *(one.distance for one in boards),
        "labels",
    ]


def _in_force(scope: Scope) -> dict:
    """By submission and split: (fd, distance, score)."""
    rows = (
        ScoreVersion.objects.filter(
            submission__team__competition=scope.competition,
            submission__state="scored",
            superseded_by=None,
        )
        .order_by("split__version", "pk")
        .values_list("submission_id", "split__kind", "fd", "distance", "score")
    )
    return {(row[0], row[1]): row[2:] for row in rows.iterator(chunk_size=2000)}


def _order(scope: Scope) -> list:
    """Scored submissions in order of receipt."""
    return list(
        Submission.objects.filter(team__competition=scope.competition, state="scored")
        .order_by("received_at", "pk")
        .values_list("pk", flat=True)
    )


def _known(numbers: tuple[float | None, ...]) -> bool:
    return all(one is not None and math.isfinite(one) for one in numbers)


def _command(scope: Scope) -> str:
    """The analysis of this table, with each split's τ in force."""
    parts = [f"genmem analyze {FILE} --out analysis"]
    for kind in kinds(scope):
        board = PUBLIC_TABLE[kind]
        if not scope.private:
            parts.append(f"--board {kind}={board.fd},{board.distance},{board.score}")
        split = split_in_force(scope.competition, kind)
        if split is not None:
            parts.append(f"--tau {kind}={split.tau}")
    return " ".join(parts)
