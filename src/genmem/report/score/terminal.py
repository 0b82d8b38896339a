"""A score as a table for the terminal."""

from __future__ import annotations

from rich.table import Table
from rich.text import Text

from genmem.report.common.terminal import new_table
from genmem.report.score.interpretation import read
from genmem.report.score.tables import Row, tables
from genmem.report.score.verdict import verdict
from genmem.results import Score

STYLES = {"copying": "bold red", "doubt": "yellow", "clear": "green"}


def score_table(score: Score) -> Table:
    """The metrics of `score`, one a row: value, direction of better, what it says.

    The verdict stands above the numbers; a value's interval, if it has one, below it. Every cell
    is plain text: file names and notes are never taken for markup.
    """
    found = verdict(score)
    table = new_table(
        title=Text(f"{found.word}: {found.sentence}", style=STYLES.get(found.level, "bold"))
    )
    table.add_column("metric", no_wrap=True)
    table.add_column("value, interval", justify="right", no_wrap=True)
    table.add_column("better", max_width=16)
    table.add_column("what it says", ratio=1)
    for group in tables(score, read(score)):
        for row in group.rows:
            table.add_row(
                Text(row.name),
                _value(row),
                Text(row.better, style="dim"),
                Text(row.reading.finding, style=STYLES.get(row.reading.sign, "")),
            )
        table.add_section()
    return table


def _value(row: Row) -> Text:
    """The value, and on the next line its interval."""
    value = Text(row.value, style="bold")
    return value.append(f"\n{row.interval}", style="not bold dim") if row.interval else value
