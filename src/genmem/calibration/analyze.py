"""`genmem.calibration.analyze`: a results table → everything `genmem analyze` shows."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from genmem.calibration.calibrate import calibrate
from genmem.calibration.competition import (
    agreement,
    correlation,
    penalized_score,
    ranked_score,
    review,
    review_path,
    standings,
    sweep,
)
from genmem.calibration.labels import NOT_REVIEWED, Labels
from genmem.calibration.results import (
    Agreement,
    Analysis,
    BoardResult,
    Bools,
    Floats,
    ThresholdReview,
)
from genmem.calibration.tables import DISQUALIFIED, Table, read_table
from genmem.calibration.thresholds import evaluate_threshold
from genmem.errors import UsageError
from genmem.formatting import count
from genmem.metrics.mifid import REPLAY, Standing

TOPS = (5, 10, 20, 50, 100)
"""The k of the top-k overlaps."""

SWEEP_STEPS = 201
"""Thresholds from 0 to the largest labelled distance."""


@dataclass(frozen=True, kw_only=True)
class Board:
    """The columns of a leaderboard.

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
    """Analyze a competition's results table.

    Args:
        path: a CSV file, see `read_table`.
        boards: the columns of each board, by the board's name.
        label: the column of labels.
        identifier: the column of unique ids, if there is one.
        labels: which labels are honest and which cheating; None for the public table's.
        top: clean entries that a review must find.
        seed: seed of the margins' bootstrap.

    Returns:
        An `Analysis`.

    Raises:
        InputError: the table cannot be used; the row is named.
        UsageError: no board, or `top` is below 1.

    Example:
        >>> from genmem.calibration import Board, analyze
        >>> rows = ["id,fd,distance,labels", "1,20,0.3,honest", "2,30,0.4,honest", "3,5,0.1,mgan"]
        >>> with open("results.csv", "w", encoding="utf-8") as file:
        ...     for row in rows:
        ...         print(row, file=file)
        >>> boards = {"private": Board(fd="fd", distance="distance")}
        >>> result = analyze("results.csv", boards=boards, identifier="id", top=1)
        >>> result.boards["private"].calibration.tau
        0.3
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
    complete = _complete(table, boards)
    entry_labels = tuple(np.asarray(table.labels, dtype=object)[complete])
    honest, cheating = labels.masks_of_both(entry_labels, where=f"{path}, column {label}")
    entries = _Entries(
        table=table,
        complete=complete,
        honest=honest,
        cheating=cheating,
        groups=_groups(entry_labels, labels, honest, cheating),
    )
    results = {
        name: _analyze_board(name, board, entries, top=top, seed=seed)
        for name, board in boards.items()
    }
    return Analysis(
        source=table.source,
        digest=table.digest,
        labels=entry_labels,
        honest_labels=labels.honest,
        cheating_labels=labels.cheating,
        boards=results,
        agreements=tuple(_agreements(results, honest)),
        notes=(
            *_notes(len(table) - int(complete.sum()), int(entries.blank.sum()), results),
            *_replay_notes(results, boards),
        ),
    )


@dataclass(frozen=True, kw_only=True)
class _Entries:
    """The table's entries with an FD and a distance on every board, of `n`.

    Attributes:
        table: all entries.
        complete: bool [len(table)], those that are analyzed.
        honest, cheating: bool [n].
        groups: bool [n] by the name of each group that correlations are computed for.
    """

    table: Table
    complete: Bools
    honest: Bools
    cheating: Bools
    groups: Mapping[str, Bools]

    @property
    def blank(self) -> Bools:
        """bool [n], not reviewed."""
        return ~(self.honest | self.cheating)

    def numbers(self, column: str) -> Floats:
        """float64 [n]."""
        return self.table.numbers[column][self.complete]


def _complete(table: Table, boards: Mapping[str, Board]) -> Bools:
    """bool [n]: entries with an FD and a distance on every board."""
    complete = np.ones(len(table), dtype=bool)
    for board in boards.values():
        complete &= ~(table.disqualified[board.fd] | table.disqualified[board.distance])
    return complete


def _groups(
    entry_labels: Sequence[str], labels: Labels, honest: Bools, cheating: Bools
) -> dict[str, Bools]:
    """The groups of entries that correlations are computed for, by name."""
    array = np.asarray(entry_labels, dtype=object)
    present = [name for name in (*labels.honest, *labels.cheating) if (array == name).any()]
    groups = {"all": np.ones(len(array), dtype=bool), **{name: array == name for name in present}}
    if sum(name in labels.honest for name in present) > 1:
        groups["all honest"] = honest
    if sum(name in labels.cheating for name in present) > 1:
        groups["all cheating"] = cheating
    if (array == NOT_REVIEWED).any():
        groups["not reviewed"] = array == NOT_REVIEWED
    return groups


def _analyze_board(
    name: str, board: Board, entries: _Entries, *, top: int, seed: int
) -> BoardResult:
    fd, distance = entries.numbers(board.fd), entries.numbers(board.distance)
    honest, cheating = distance[entries.honest], distance[entries.cheating]
    calibration = calibrate(honest=honest, cheating=cheating, space=name, seed=seed)
    in_force = None
    if board.tau is not None:
        in_force = evaluate_threshold(board.tau, honest=honest, cheating=cheating)
    taus = {
        "no penalty": None,
        **({"in force": board.tau} if board.tau is not None else {}),
        **{criterion: threshold.tau for criterion, threshold in calibration.thresholds.items()},
    }
    disqualified, reproduced = None, None
    if board.score is not None:
        is_disqualified = entries.table.disqualified[board.score][entries.complete]
        disqualified = int(is_disqualified.sum())
        if board.tau is not None:
            expected = penalized_score(fd=fd, distance=distance, tau=board.tau)
            equal = np.isclose(expected, entries.numbers(board.score), rtol=1e-9, atol=0)
            reproduced = int((equal & ~is_disqualified).sum())
    return BoardResult(
        name=name,
        fd=fd,
        distance=distance,
        calibration=calibration,
        in_force=in_force,
        sweep=sweep(
            honest=honest,
            cheating=cheating,
            taus=np.linspace(0, float(distance[~entries.blank].max()), SWEEP_STEPS),
        ),
        correlations=tuple(
            correlation(fd=fd[mask], distance=distance[mask], group=group)
            for group, mask in entries.groups.items()
        ),
        reviews=tuple(
            _review(case, tau, ranked_score(fd=fd, distance=distance, tau=tau), entries, top)
            for case, tau in taus.items()
        ),
        disqualified=disqualified,
        reproduced=reproduced,
    )


def _review(
    name: str, tau: float | None, scores: Floats, entries: _Entries, top: int
) -> ThresholdReview:
    cheating, blank = entries.cheating, entries.blank
    neither, clean = (
        review(scores, cheating=cheating, blank=blank, top=top, blank_is_clean=blank_is_clean)
        for blank_is_clean in (False, True)
    )
    path = review_path(scores, cheating=cheating, blank=blank, top=top)
    return ThresholdReview(
        name=name, tau=tau, blank_is_neither=neither, blank_is_clean=clean, path=path
    )


def _agreements(results: Mapping[str, BoardResult], honest: Bools) -> list[Agreement]:
    """Of every two boards: by FD and by the score with τ at no false penalty."""
    agreements = []
    groups = {"all": np.ones(len(honest), dtype=bool), "honest": honest}
    for boards in itertools.combinations(results.values(), 2):
        for by in ("fd", "score"):
            first, second = (
                ranked_score(
                    fd=board.fd,
                    distance=board.distance,
                    tau=board.calibration.tau if by == "score" else None,
                )
                for board in boards
            )
            agreements += [
                agreement(
                    first[mask],
                    second[mask],
                    boards=(boards[0].name, boards[1].name),
                    by=by,
                    group=group,
                    tops=TOPS,
                )
                for group, mask in groups.items()
            ]
    return agreements


def _notes(incomplete: int, blank: int, results: Mapping[str, BoardResult]) -> tuple[str, ...]:
    notes = []
    mark = f"{DISQUALIFIED:.0f}"
    if blank:
        notes.append(
            f"{blank:,} entries have a blank label: not reviewed, so neither honest nor cheating. "
            "They count among all entries and in the reviews, in no margin and no threshold."
        )
    for board in results.values():
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


def _replay_notes(results: Mapping[str, BoardResult], boards: Mapping[str, Board]) -> Iterator[str]:
    """Sentences on entries whose MiFID means nothing."""
    for name, board in results.items():
        tau = boards[name].tau or board.calibration.tau
        of_entries = standings(fd=board.fd, distance=board.distance, tau=tau)
        replays = int((of_entries == Standing.REPLAY).sum())
        if replays:
            yield (
                f"{count(replays, 'entry', 'entries')} on the {name} board: {REPLAY}. FD is 0 but "
                f"for rounding and the distance is below τ = {tau:.4g}, so MiFID means nothing; "
                "they rank last."
            )
