"""Rows of the result table, on the terminal and in Markdown."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

from rich.table import Table

MEBIBYTE = 2**20


@dataclass(frozen=True)
class Cell:
    """A result, and what was wanted of it.

    Attributes:
        text: the result.
        wanted: the target in words; empty where there is none.
        met: whether it was reached; None where it is not judged.
    """

    text: str
    wanted: str = ""
    met: bool | None = None

    def __str__(self) -> str:
        if not self.wanted:
            return self.text
        verdict = {True: "met", False: "not met", None: "not judged"}[self.met]
        return f"{self.text}; wanted {self.wanted}: {verdict}"


NOTHING = Cell("–")


@dataclass(frozen=True, kw_only=True)
class Row:
    """One comparison.

    Attributes:
        case: what was done.
        against: what genmem is compared with.
        ours, other: time or rate of each side.
        ratio: genmem's rate over the other's, or why there is none.
        memory: what genmem added to its inputs.
        other_memory: what the other added to the same.
        difference: of the values found, relative.
    """

    case: str
    against: str
    ours: str = "–"
    other: str = "–"
    ratio: Cell = NOTHING
    memory: Cell = NOTHING
    other_memory: str = "–"
    difference: Cell = NOTHING

    @property
    def cells(self) -> tuple[str, ...]:
        """The columns as text."""
        return tuple(str(getattr(self, field.name)) for field in fields(self))

    @property
    def judged(self) -> tuple[Cell, ...]:
        """The cells with a target that was held against them."""
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
    """A row for what could not be measured here."""
    return Row(case=case, against=against, ratio=Cell(f"skipped: {reason}"))


def seconds(value: float) -> str:
    """A duration in three digits."""
    return f"{value:.3g} s" if value >= 1 else f"{1000 * value:.3g} ms"


def mebibytes(value: int | None) -> str:
    """Memory in MiB; – where unknown."""
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
    """How many targets were met, and which were not."""
    judged = [(row, cell) for row in rows for cell in row.judged]
    missed = [f"{row.case} against {row.against}" for row, cell in judged if not cell.met]
    missing = sum(row.ratio.text.startswith("skipped") for row in rows)
    text = f"{len(judged) - len(missed)} of {len(judged)} targets met."
    if not judged:
        text = "No target was judged."
    if missed:
        text += f" Not met: {'; '.join(missed)}."
    if missing:
        text += f" {missing} comparisons were skipped, for the reasons in the table."
    return text
