"""A score as a table for the terminal."""

from __future__ import annotations

from rich.table import Table
from rich.text import Text

from genmem.metrics.registry import metrics
from genmem.report.common.terminal import new_table
from genmem.report.score.tables import Row, metric_tables, spaces_table
from genmem.report.score.verdict import verdict
from genmem.results import Score

STYLES = {"copying": "bold red", "doubt": "yellow", "clear": "green"}


def score_table(score: Score) -> Table:
    """The verdict and the metrics of `score`, one per row; of several spaces a column each.

    An interval is below its value. Every cell is plain text: file names and notes are never
    interpreted as markup.
    """
    result = verdict(score)
    table = new_table(
        title=Text(f"{result.word}: {result.sentence}", style=STYLES.get(result.level, "bold"))
    )
    if score.spaces:
        return _add_spaces(table, score)
    table.add_column("metric", no_wrap=True)
    table.add_column("value, interval", justify="right", no_wrap=True)
    table.add_column("better", max_width=16)
    table.add_column("what it says", ratio=1)
    for table_of_group in metric_tables(score):
        for row in table_of_group.rows:
            table.add_row(
                Text(row.name),
                _value(row),
                Text(row.better, style="dim"),
                Text(row.interpretation.finding, style=STYLES.get(row.interpretation.evidence, "")),
            )
        table.add_section()
    return table


def _add_spaces(table: Table, score: Score) -> Table:
    """The metrics in several feature spaces, a column each; an interval is below its value."""
    content = spaces_table(score)
    first, *spaces = content.columns
    table.add_column(first, no_wrap=True)
    for space in spaces:
        table.add_column(space, justify="right")
    table.add_column("Better", max_width=16)
    for row in content.rows:
        cells = [Text(cell.replace(" (", "\n(", 1)) for cell in row]
        table.add_row(*cells, Text(metrics()[row[0]].better, style="dim"))
    return table


def _value(row: Row) -> Text:
    """The value, and on the next line its interval."""
    value = Text(row.value, style="bold")
    return value.append(f"\n{row.interval}", style="not bold dim") if row.interval else value
