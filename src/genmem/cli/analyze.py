"""`genmem analyze`: what the results table of a competition shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from genmem.cli.options import (
    CheatingLabels,
    HonestLabels,
    LabelColumn,
    OutDirectory,
    Seed,
    option,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from genmem.calibration import Board
    from genmem.results import Json


ResultsTable = Annotated[
    str, typer.Argument(metavar="RESULTS.csv", help="Results table with one row per entry.")
]
Boards = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME=FD,DISTANCE[,SCORE]",
        help="Columns of a leaderboard. Repeat for each leaderboard.",
        show_default="the two boards of the published competition table",
    ),
]
Taus = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME=T",
        help="Threshold τ in force on a leaderboard. Repeat for each leaderboard.",
    ),
]
IdColumn = Annotated[
    str, option("--id", metavar="COLUMN", show_default='submission_id; pass "" if there is none')
]
Top = Annotated[
    int,
    typer.Option(
        metavar="K",
        min=1,
        help="Number of top entries that a review must clear of cheats.",
    ),
]


def analyze(
    results: ResultsTable,
    out: OutDirectory,
    board: Boards = None,
    tau: Taus = None,
    label: LabelColumn = "labels",
    identifier: IdColumn = "submission_id",
    honest: HonestLabels = None,
    cheating: CheatingLabels = None,
    top: Top = 100,
    seed: Seed = 0,
) -> None:
    """Analyze the results table of a competition.

    Reports on leaderboards, cheats, thresholds and the cost of a review. 999999 in a column of
    numbers marks a disqualified entry.
    """
    from genmem.cli.outputs import check_folder

    check_folder(out, inputs={"RESULTS.csv": results})
    from genmem.calibration import analyze as compute_analysis
    from genmem.cli.parsing import parse_labels
    from genmem.formatting import printable
    from genmem.io.result_folder import check_result_folder
    from genmem.report.competition.page import ANALYSIS, write_analysis
    from genmem.report.competition.tables import headline

    check_result_folder(out, ANALYSIS)
    analysis = compute_analysis(
        results,
        boards=_parse_boards(board or [], tau or []),
        label=label,
        identifier=identifier or None,
        labels=parse_labels(honest, cheating),
        top=top,
        seed=seed,
    )
    write_analysis(analysis, out, provenance=_provenance(seed))
    for leaderboard in analysis.boards.values():
        print(f"{printable(leaderboard.name)}: {headline(leaderboard)}")
    print(f"{out / ANALYSIS.page} · {out / ANALYSIS.numbers}")


def _parse_boards(columns: list[str], taus: list[str]) -> Mapping[str, Board]:
    """The leaderboards of `--board` and `--tau`; those of the public table without `--board`.

    Raises:
        UsageError: an option is malformed, or gives τ for an unknown leaderboard.
    """
    from dataclasses import replace

    from genmem.calibration import PUBLIC_TABLE, Board
    from genmem.cli.parsing import parse_tau, split_names, split_pairs
    from genmem.errors import UsageError

    form = "NAME=FD,DISTANCE[,SCORE], the columns of a leaderboard"
    boards = {} if columns else dict(PUBLIC_TABLE)
    for name, text in split_pairs(columns, option="--board", form=form).items():
        names = split_names(text)
        if len(names) not in (2, 3):
            raise UsageError(f"--board: expected {form}, got {name}={text}.")
        boards[name] = Board(
            fd=names[0], distance=names[1], score=names[2] if len(names) == 3 else None
        )
    for name, text in split_pairs(taus, option="--tau", form="NAME=T").items():
        if name not in boards:
            raise UsageError(f"--tau: there is no leaderboard {name!r}, only {', '.join(boards)}.")
        boards[name] = replace(boards[name], tau=parse_tau(text))
    return boards


def _provenance(seed: int) -> dict[str, Json]:
    """Versions, seed and time; `scoring.provenance` says more but loads torch."""
    import datetime
    from importlib.metadata import version

    return {
        "versions": {name: version(name) for name in ("genmem", "numpy", "scipy", "matplotlib")},
        "seed": seed,
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }
