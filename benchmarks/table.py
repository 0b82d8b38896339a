"""Rows of the result table, on the terminal and in Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

from rich.table import Table

MEBIBYTE = 2**20


@dataclass(frozen=True)
class Cell:
    """A result and its target.

    Attributes:
        text: the result.
        target: the target in words; empty if there is none.
        met: whether it was met; None if it was not evaluated.
    """

    text: str
    target: str = ""
    met: bool | None = None

    def __str__(self) -> str:
        if not self.target:
            return self.text
        outcome = {True: "met", False: "not met", None: "not evaluated"}[self.met]
        return f"{self.text}; target {self.target}: {outcome}"


EMPTY = Cell("–")


@dataclass(frozen=True, kw_only=True)
class Row:
    """One comparison.

    Attributes:
        case: what was measured.
        against: the other side.
        ours, other: time or rate of each side.
        ratio: genmem's rate divided by the other's, or why there is none.
        memory: memory that genmem uses in addition to its inputs.
        other_memory: the same for the other side.
        difference: between the values, relative.
    """

    case: str
    against: str
    ours: str = "–"
    other: str = "–"
    ratio: Cell = EMPTY
    memory: Cell = EMPTY
    other_memory: str = "–"
    difference: Cell = EMPTY

    @property
    def cells(self) -> tuple[str, ...]:
        """The columns as text."""
        return tuple(str(getattr(self, field.name)) for field in fields(self))

    @property
    def evaluated(self) -> tuple[Cell, ...]:
        """The cells whose target was evaluated."""
        cells = (self.ratio, self.memory, self.difference)
        return tuple(cell for cell in cells if cell.met is not None)


HEADINGS = (
    "Case",
    "Against",
    "genmem",
    "other",
    "Ratio of rates (smallest–largest)",
    "genmem adds",
    "other adds",
    "Values differ by",
)


def skipped(case: str, against: str, reason: str) -> Row:
    """A row for a measurement that is impossible here."""
    return Row(case=case, against=against, ratio=Cell(f"skipped: {reason}"))


def seconds(value: float) -> str:
    """A duration with three digits."""
    return f"{value:.3g} s" if value >= 1 else f"{1000 * value:.3g} ms"


def mebibytes(value: int | None) -> str:
    """Memory in MiB; – if unknown."""
    return "–" if value is None else f"{value / MEBIBYTE:,.0f} MiB"


def to_terminal(rows: Sequence[Row], *, title: str) -> Table:
    """The rows as a rich table."""
    table = Table(title=title, show_lines=True)
    for heading in HEADINGS:
        table.add_column(heading, overflow="fold")
    for row in rows:
        table.add_row(*row.cells)
    return table


def to_markdown(rows: Sequence[Row]) -> str:
    """The rows as a Markdown table."""
    lines = [HEADINGS, tuple("---" for _ in HEADINGS), *(row.cells for row in rows)]
    return "\n".join(
        "| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |" for line in lines
    )


def summary(rows: Sequence[Row]) -> str:
    """How many targets were met, and which were missed."""
    evaluated = [(row, cell) for row in rows for cell in row.evaluated]
    missed = [f"{row.case} against {row.against}" for row, cell in evaluated if not cell.met]
    missing = sum(row.ratio.text.startswith("skipped") for row in rows)
    text = f"{len(evaluated) - len(missed)} of {len(evaluated)} targets met."
    if not evaluated:
        text = "No target was evaluated."
    if missed:
        text += f" Not met: {'; '.join(missed)}."
    if missing:
        text += f" {missing} comparisons were skipped; the table says why."
    return text
