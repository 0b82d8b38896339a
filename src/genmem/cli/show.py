"""What a score looks like on the terminal: the table on stdout, the notes on stderr."""

from __future__ import annotations

import sys

from rich.console import Console
from rich.table import Table

from genmem.report import score_table
from genmem.report.text import printable
from genmem.results import Score


def print_wide(table: Table, *, piped: int = 100) -> None:
    """Print a table as wide as the terminal; `piped` columns wide where stdout is none."""
    width = None if sys.stdout.isatty() else piped
    console = Console(width=width, highlight=False)
    # Rich ends the program itself when nobody reads; a plain write leaves that to `app.run`.
    with console.capture() as drawn:
        console.print(table)
    sys.stdout.write(drawn.get())


def print_table(score: Score) -> None:
    """The verdict and the numbers."""
    print_wide(score_table(score))


def print_notes(score: Score) -> None:
    """What the reader must know beside the numbers: of the whole score, then of its metrics.

    A sentence that several metrics share is printed once, with their names.
    """
    for note in score.notes:
        print("note:", printable(note), file=sys.stderr)
    named: dict[str, list[str]] = {}
    for name, result in score.metrics.items():
        if name == "fd" and "fid" in score.metrics:
            continue  # the same number; the table shows it as FID
        for note in result.notes:
            named.setdefault(note, []).append(name)
    for note, names in named.items():
        print(f"note: {', '.join(names)}:", printable(note), file=sys.stderr)
