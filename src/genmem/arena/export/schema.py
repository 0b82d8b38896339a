"""Columns and tables of an export, and writing them as Parquet and CSV."""

from __future__ import annotations

import csv
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from operator import attrgetter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from genmem.arena.competitions.models import Competition
from genmem.arena.leaderboards.disqualification import disqualified_ids
from genmem.arena.teams.pseudonyms import Pseudonyms

TEXT, COUNT, NUMBER, YES_NO = pa.string(), pa.int64(), pa.float64(), pa.bool_()
TIME = pa.timestamp("us", tz="UTC")
CHUNK = 2000
"""Rows read from the database at once."""
_WRITE_ROWS = 10_000
"""Rows held in memory while a table is written."""


@dataclass(frozen=True, kw_only=True)
class Scope:
    """What an export contains.

    Attributes:
        competition: whose data.
        pseudonyms: how people and teams are called.
        private: whether the private split is included: its scores, and with them labels, decisions
            and ratings, which reveal what was selected by private scores.
        names: whether names and texts written by people are included.
    """

    competition: Competition
    pseudonyms: Pseudonyms
    private: bool
    names: bool

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds of split that are included."""
        return ("public", "private") if self.private else ("public",)

    @cached_property
    def disqualified(self) -> set[uuid.UUID]:
        """Ids of the disqualified submissions."""
        return disqualified_ids(self.competition)


@dataclass(frozen=True)
class Column:
    """One column of a table.

    Attributes:
        name: in the file.
        type: of its values.
        meaning: for the datasheet.
        value: how it is read from a row: a path of attributes ("" for the column's name), or a
            function of row and scope. Rows that are dicts are read by the column's name.
        personal: whether it is only in exports with names.
    """

    name: str
    type: pa.DataType
    meaning: str
    value: str | Callable[[Any, Scope], Any] = ""
    personal: bool = False

    def read(self, row: Any, scope: Scope) -> Any:
        """The column's value in a row."""
        if isinstance(row, dict):
            return row[self.name]
        if callable(self.value):
            return self.value(row, scope)
        value = attrgetter(self.value or self.name)(row)
        return str(value) if isinstance(value, uuid.UUID) else value


@dataclass(frozen=True, kw_only=True)
class Table:
    """One table of an export.

    Attributes:
        name: of the file, without its suffix.
        description: for the datasheet.
        columns: in order.
        rows: reads the rows: model instances or dicts.
        private: whether it is only in exports with the private split.
    """

    name: str
    description: str
    columns: tuple[Column, ...]
    rows: Callable[[Scope], Iterable[Any]]
    private: bool = False

    def columns_in(self, scope: Scope) -> list[Column]:
        """The columns that are in this export."""
        return [column for column in self.columns if scope.names or not column.personal]


def write_parquet(table: Table, scope: Scope, path: Path) -> int:
    """Write a table, some rows at a time. Returns the number of rows."""
    columns = table.columns_in(scope)
    schema = pa.schema([(column.name, column.type) for column in columns])
    count = 0
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        part: list[dict[str, Any]] = []
        for row in table.rows(scope):
            part.append({column.name: column.read(row, scope) for column in columns})
            if len(part) == _WRITE_ROWS:
                writer.write_table(pa.Table.from_pylist(part, schema))
                count, part = count + len(part), []
        writer.write_table(pa.Table.from_pylist(part, schema))
    return count + len(part)


def csv_lines(table: Table, scope: Scope, rows: Iterable[Any]) -> Iterator[str]:
    """Write some rows of a table as lines of CSV; times in ISO format, lists joined by spaces."""
    columns = table.columns_in(scope)
    writer = csv.writer(_Echo(), lineterminator="\n")
    yield writer.writerow([column.name for column in columns])
    for row in rows:
        yield writer.writerow([_csv_cell(column.read(row, scope)) for column in columns])


class _Echo:
    """A file whose `write` returns the text."""

    def write(self, line: str) -> str:
        return line


def _csv_cell(value: Any) -> Any:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, float):
        return round(value, 3)
    if isinstance(value, list):
        return " ".join(map(str, value))
    return value
