"""Tables on the terminal, with one look for all commands."""

from __future__ import annotations

from collections.abc import Collection

from rich.table import Table
from rich.text import Text


def new_table(*columns: str, numbers: Collection[str] = (), title: Text | None = None) -> Table:
    """An empty table without lines; more columns can be added to it.

    Args:
        columns: headings.
        numbers: those of the columns that are right-aligned.
        title: text above the table.
    """
    table = Table(
        title=title, title_justify="left", box=None, header_style="dim", padding=(0, 2, 0, 0)
    )
    for column in columns:
        table.add_column(column, justify="right" if column in numbers else "left")
    return table
