"""The tables of a release: their fields with types and meanings, and their rows."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from genmem.arena.competitions.models import Competition
from genmem.arena.teams.pseudonyms import Pseudonyms

TEXT, COUNT, NUMBER, YES_NO = pa.string(), pa.int64(), pa.float64(), pa.bool_()
TIME = pa.timestamp("us", tz="UTC")
_ROWS = 10_000
"""Rows held at once."""


@dataclass(frozen=True, kw_only=True)
class Scope:
    """What goes into a release.

    Attributes:
        private: whether the private split does: its scores, and with them labels, decisions and
            ratings, which show what was picked by private scores.
        names: whether names and texts that people wrote do.
    """

    competition: Competition
    pseudonyms: Pseudonyms
    private: bool
    names: bool


@dataclass(frozen=True)
class Field:
    """A column; `personal` ones are only in releases with names."""

    name: str
    type: pa.DataType
    about: str
    personal: bool = False


@dataclass(frozen=True, kw_only=True)
class Table:
    """A file of rows; `private` ones are only in releases with the private split."""

    name: str
    about: str
    fields: tuple[Field, ...]
    rows: Callable[[Scope], Iterator[Mapping[str, Any]]]
    private: bool = False

    def fields_in(self, scope: Scope) -> list[Field]:
        """The columns it has in this release."""
        return [one for one in self.fields if scope.names or not one.personal]


def write_table(table: Table, scope: Scope, path: Any) -> int:
    """Write a table as parquet, a part of its rows at a time; how many rows it has."""
    schema = pa.schema([(one.name, one.type) for one in table.fields_in(scope)])
    count = 0
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        part: list[Mapping[str, Any]] = []
        for row in table.rows(scope):
            part.append({name: row[name] for name in schema.names})
            if len(part) == _ROWS:
                writer.write_table(pa.Table.from_pylist(part, schema))
                count, part = count + len(part), []
        writer.write_table(pa.Table.from_pylist(part, schema))
    return count + len(part)
