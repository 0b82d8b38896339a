"""A table of text, as every page shows it (macro `grid` in macros.html)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Table:
    """A table of text.

    Attributes:
        caption: its title.
        columns: headings.
        rows: cells as text; the first cell of a row is its heading.
    """

    caption: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
