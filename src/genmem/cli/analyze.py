"""`genmem analyze`: what a competition's results table says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from collections.abc import Mapping

    from genmem.calibration import Board
    from genmem.results import Json


def analyze(
    results: Annotated[
        str, typer.Argument(metavar="RESULTS.csv", help="The results table, one row an entry.")
    ],
    out: Annotated[str, typer.Option(metavar="DIR", help="Where page, figures and numbers go.")],
    board: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=FD,DISTANCE[,SCORE]",
            help="A board's columns; once a board. [default: the public table's two]",
        ),
    ] = None,
    tau: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME=T", help="The threshold in force on a board; once a board."),
    ] = None,
    label: Annotated[
        str, typer.Option(metavar="COLUMN", help="The labels; blank = not reviewed.")
    ] = "labels",
    identifier: Annotated[
        str, typer.Option("--id", metavar="COLUMN", help='Unique ids; "" for a table without.')
    ] = "submission_id",
    honest: Annotated[
        str | None,
        typer.Option(metavar="A,B", help="Labels of honest entries. [default: honest,non-mem]"),
    ] = None,
    cheating: Annotated[
        str | None,
        typer.Option(metavar="A,B,C", help="Labels of cheats. [default: cheating,mgan,sup,aug,ae]"),
    ] = None,
    top: Annotated[int, typer.Option(min=1, help="Clean entries that a review wants.")] = 100,
    seed: Annotated[int, typer.Option(min=0, help="Seed of the bootstrap.")] = 0,
) -> None:
    """Analyse a competition: boards, cheats, thresholds, and the work of reviewing.

    999999 in a number column marks a disqualified entry; a blank label, one nobody reviewed.
    """
    from pathlib import Path

    from genmem.cli.outputs import check_folder

    check_folder(out, inputs={"RESULTS.csv": results})
    from genmem.calibration import analyze as compute
    from genmem.cli.parsing import parse_labels
    from genmem.formatting import printable
    from genmem.report.competition.page import NUMBERS, PAGE, check_analysis_folder, write_analysis
    from genmem.report.competition.tables import headline

    check_analysis_folder(out)
    found = compute(
        results,
        boards=_boards(board or [], tau or []),
        label=label,
        identifier=identifier or None,
        labels=parse_labels(honest, cheating),
        top=top,
        seed=seed,
    )
    write_analysis(found, out, provenance=_provenance(seed))
    for one in found.boards.values():
        print(f"{printable(one.name)}: {headline(one)}")
    print(f"{Path(out) / PAGE} · {Path(out) / NUMBERS}")


def _boards(boards: list[str], taus: list[str]) -> Mapping[str, Board]:
    """The boards that the options describe; the public table's where they name none.

    Raises:
        UsageError: an option is not of its form, or gives τ for a board that is not there.
    """
    from dataclasses import replace

    from genmem.calibration import PUBLIC_TABLE, Board
    from genmem.cli.parsing import parse_tau, split_names, split_pairs
    from genmem.errors import UsageError

    form = "NAME=FD,DISTANCE[,SCORE], the columns of a board"
    made = dict(PUBLIC_TABLE)
    if boards:
        made = {}
        for name, columns in split_pairs(boards, option="--board", form=form).items():
            listed = split_names(columns)
            if len(listed) not in (2, 3):
                raise UsageError(f"--board: expected {form}, got {name}={columns}.")
            made[name] = Board(
                fd=listed[0], distance=listed[1], score=listed[2] if len(listed) == 3 else None
            )
    for name, text in split_pairs(taus, option="--tau", form="NAME=T").items():
        if name not in made:
            raise UsageError(f"--tau: there is no board {name!r}; the boards: {', '.join(made)}.")
        made[name] = replace(made[name], tau=parse_tau(text))
    return made


def _provenance(seed: int) -> dict[str, Json]:
    """Versions, seed and time; `scoring.provenance` has more and loads torch for it."""
    import datetime
    from importlib.metadata import version

    return {
        "versions": {name: version(name) for name in ("genmem", "numpy", "scipy", "matplotlib")},
        "seed": seed,
        "date": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }
