"""A results table → everything `genmem analyze` shows."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from genmem.calibration.calibrate import calibrate
from genmem.calibration.competition import (
    agreement,
    correlation,
    penalised_score,
    review,
    review_path,
    sweep,
)
from genmem.calibration.labels import NOT_REVIEWED, Labels
from genmem.calibration.results import (
    Agreement,
    Analysis,
    BoardFinding,
    Bools,
    Correlation,
    Floats,
    ReviewCase,
)
from genmem.calibration.tables import DISQUALIFIED, Table, read_table
from genmem.calibration.thresholds import effect
from genmem.errors import InputError, UsageError

TOPS = (5, 10, 20, 50, 100)
"""The k of the top-k overlaps."""


SWEEP_STEPS = 201


@dataclass(frozen=True, kw_only=True)
class Board:
    """Which columns make a board.

    Attributes:
        fd: the column of Fréchet distances.
        distance: the column of memorization distances.
        score: the column of published scores, where disqualified entries are marked; or None.
        tau: the threshold in force; None where it is not known.
    """

    fd: str
    distance: str
    score: str | None = None
    tau: float | None = None


PUBLIC_TABLE = {
    "public": Board(fd="FID_public", distance="distance_public", score="public_score", tau=0.1),
    "private": Board(
        fd="FID_private", distance="distance_private", score="private_score", tau=0.25
    ),
}
"""The boards of the public table of the Generative Dog Images competition."""


def analyze(
    path: str | Path,
    *,
    boards: Mapping[str, Board] = PUBLIC_TABLE,
    label: str = "labels",
    identifier: str | None = "submission_id",
    labels: Labels | None = None,
    top: int = 100,
    seed: int = 0,
) -> Analysis:
    """Analyse a competition's results table.

    Args:
        path: a CSV file, see `read_table`.
        boards: the columns of each board, by the board's name.
        label: the column of labels.
        identifier: the column of unique ids, if there is one.
        labels: which labels are honest and which cheating; None: the public table's.
        top: clean entries that a review wants.
        seed: of the margins' bootstrap.

    Raises:
        InputError: the table cannot be used; the row is named.
        UsageError: no board, or `top` is below 1.
    """
    if not boards:
        raise UsageError("expected at least one board.")
    if top < 1:
        raise UsageError(f"top: expected at least 1 entry, got {top}.")
    labels = labels or Labels()
    wanted = [
        column
        for board in boards.values()
        for column in (board.fd, board.distance, board.score)
        if column is not None
    ]
    table = read_table(
        path,
        numbers=list(dict.fromkeys(wanted)),
        label=label,
        labels=labels,
        identifier=identifier,
    )
    kept = _complete(table, boards)
    named = tuple(np.asarray(table.labels, dtype=object)[kept])
    honest, cheating = labels.masks(named)
    for name, mask, known in (
        ("honest", honest, labels.honest),
        ("cheating", cheating, labels.cheating),
    ):
        if not mask.any():
            raise InputError(
                f"{path}, column {label}: expected {name} entries, labelled "
                f"{' or '.join(known)}, found none."
            )
    groups = _groups(named, labels, honest, cheating)
    found = {
        name: _board(
            name,
            board,
            table,
            kept,
            groups=groups,
            honest=honest,
            cheating=cheating,
            top=top,
            seed=seed,
        )
        for name, board in boards.items()
    }
    return Analysis(
        source=table.source,
        digest=table.digest,
        labels=named,
        honest_labels=labels.honest,
        cheating_labels=labels.cheating,
        boards=found,
        agreements=tuple(_agreements(found, honest)),
        notes=_notes(len(table) - int(kept.sum()), int((~(honest | cheating)).sum()), found),
    )


def _complete(table: Table, boards: Mapping[str, Board]) -> Bools:
    """bool [n]: entries with an FD and a distance on every board."""
    kept = np.ones(len(table), dtype=bool)
    for board in boards.values():
        kept &= ~(table.disqualified[board.fd] | table.disqualified[board.distance])
    return kept


def _groups(
    named: Sequence[str], labels: Labels, honest: Bools, cheating: Bools
) -> dict[str, Bools]:
    """The groups of entries that correlations are given for, by name."""
    given = np.asarray(named, dtype=object)
    present = [name for name in (*labels.honest, *labels.cheating) if (given == name).any()]
    made = {"all": np.ones(len(given), dtype=bool), **{name: given == name for name in present}}
    if sum(name in labels.honest for name in present) > 1:
        made["all honest"] = honest
    if sum(name in labels.cheating for name in present) > 1:
        made["all cheating"] = cheating
    if (given == NOT_REVIEWED).any():
        made["not reviewed"] = given == NOT_REVIEWED
    return made


def _board(
    name: str,
    board: Board,
    table: Table,
    kept: Bools,
    *,
    groups: Mapping[str, Bools],
    honest: Bools,
    cheating: Bools,
    top: int,
    seed: int,
) -> BoardFinding:
    fd, distance = table.numbers[board.fd][kept], table.numbers[board.distance][kept]
    calibration = calibrate(
        honest=distance[honest], cheating=distance[cheating], space=name, seed=seed
    )
    in_force = None
    if board.tau is not None:
        in_force = effect(board.tau, honest=distance[honest], cheating=distance[cheating])
    taus = {
        "no penalty": None,
        **({"in force": board.tau} if board.tau is not None else {}),
        **{criterion: one.tau for criterion, one in calibration.thresholds.items()},
    }
    disqualified, reproduced = None, None
    if board.score is not None:
        out = table.disqualified[board.score][kept]
        disqualified = int(out.sum())
        if board.tau is not None:
            again = penalised_score(fd=fd, distance=distance, tau=board.tau)
            same = np.isclose(again, table.numbers[board.score][kept], rtol=1e-9, atol=0)
            reproduced = int((same & ~out).sum())
    return BoardFinding(
        name=name,
        fd=fd,
        distance=distance,
        calibration=calibration,
        in_force=in_force,
        sweep=sweep(
            honest=distance[honest],
            cheating=distance[cheating],
            taus=np.linspace(0, float(distance[honest | cheating].max()), SWEEP_STEPS),
        ),
        correlations=tuple(_correlations(fd, distance, groups)),
        reviews=tuple(
            _case(case, tau, fd, distance, honest=honest, cheating=cheating, top=top)
            for case, tau in taus.items()
        ),
        disqualified=disqualified,
        reproduced=reproduced,
    )


def _correlations(fd: Floats, distance: Floats, groups: Mapping[str, Bools]) -> list[Correlation]:
    return [
        correlation(fd=fd[mask], distance=distance[mask], group=group)
        for group, mask in groups.items()
    ]


def _case(
    name: str,
    tau: float | None,
    fd: Floats,
    distance: Floats,
    *,
    honest: Bools,
    cheating: Bools,
    top: int,
) -> ReviewCase:
    scores = penalised_score(fd=fd, distance=distance, tau=tau)
    blank = ~(honest | cheating)
    neither, clean = (
        review(scores, cheating=cheating, blank=blank, top=top, blank_is_clean=reading)
        for reading in (False, True)
    )
    path = review_path(scores, cheating=cheating, blank=blank, top=top)
    return ReviewCase(name=name, tau=tau, blank_is_neither=neither, blank_is_clean=clean, path=path)


def _agreements(found: Mapping[str, BoardFinding], honest: Bools) -> list[Agreement]:
    """Of every two boards: by FD and by the score with τ at no false penalty."""
    made = []
    everyone = np.ones(len(honest), dtype=bool)
    for one, other in itertools.combinations(found.values(), 2):
        for by in ("fd", "score"):
            first, second = (
                penalised_score(
                    fd=board.fd,
                    distance=board.distance,
                    tau=board.calibration.tau if by == "score" else None,
                )
                for board in (one, other)
            )
            made += [
                agreement(
                    first[mask],
                    second[mask],
                    boards=(one.name, other.name),
                    by=by,
                    group=group,
                    tops=TOPS,
                )
                for group, mask in (("all", everyone), ("honest", honest))
            ]
    return made


def _notes(incomplete: int, blank: int, found: Mapping[str, BoardFinding]) -> tuple[str, ...]:
    notes = []
    mark = f"{DISQUALIFIED:.0f}"
    if blank:
        notes.append(
            f"{blank:,} entries have a blank label: not reviewed, so neither honest nor cheating. "
            "They count among all entries and in the reviews, in no margin and no threshold."
        )
    for board in found.values():
        if board.disqualified:
            notes.append(
                f"{board.disqualified:,} entries have the score {mark} on the {board.name} board: "
                "disqualified, which is no number. Their FD and distance are used."
            )
    if incomplete:
        notes.append(
            f"{incomplete:,} entries were left out: {mark} (disqualified) stands in place of "
            "their FD or distance."
        )
    return tuple(notes)
