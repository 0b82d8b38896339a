"""Results tables: CSV with a header, separated by commas, semicolons, tabs or bars.

The separator is the one by which the header holds the named columns; no other is guessed. Errors
name the file, row and column.
"""

from __future__ import annotations

import csv
import hashlib
import io
import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from genmem.calibration.labels import Labels
from genmem.calibration.results import Floats
from genmem.errors import InputError
from genmem.io.paths import to_path

_SEPARATORS = (",", ";", "\t", "|")

DISQUALIFIED = 999_999.0
"""The number that replaces a disqualified entry's numbers."""


@dataclass(frozen=True, kw_only=True)
class Table:
    """The requested columns, one value per entry.

    Attributes:
        source: the file's name without its folder.
        digest: hex BLAKE2b-128 of the file's bytes.
        ids: the entries' unique ids; row numbers where no id column was named.
        labels: "" where the entry was not reviewed.
        numbers: by column name, float64 [n]; NaN where the entry is marked as disqualified.
        disqualified: by column name, bool [n].
    """

    source: str
    digest: str
    ids: tuple[str, ...]
    labels: tuple[str, ...]
    numbers: Mapping[str, Floats]
    disqualified: Mapping[str, NDArray[np.bool_]]

    def __len__(self) -> int:
        return len(self.ids)


def read_table(
    path: str | Path,
    *,
    numbers: Sequence[str],
    label: str,
    labels: Labels,
    identifier: str | None = None,
) -> Table:
    """Read the named columns of a CSV file; other columns are ignored.

    Rows are counted as a spreadsheet shows them: the header is row 1. `DISQUALIFIED` in a number
    column is the mark of a disqualified entry, not a number; a blank label means not reviewed.

    Args:
        path: a UTF-8 CSV file with a header, separated by `,`, `;`, `|` or tabs.
        numbers: columns of numbers of at least 0.
        label: the column of labels.
        labels: the labels that may occur.
        identifier: the column of unique ids; None: the row numbers are the ids.

    Raises:
        InputError: the file cannot be read, lacks a column, or a row holds text or nothing in a
            number column, an id met before, an unknown label, or too many or few cells; the
            message names the file, the row and the column.
    """
    name = str(path)
    content = _content(path)
    wanted = [*numbers, label, *([identifier] if identifier is not None else [])]
    header, rows = _parsed(content, name, wanted)
    at = {column: _position(column, header, name) for column in wanted}
    ids: dict[str, int] = {}
    entry_labels: list[str] = []
    values: dict[str, list[float]] = {column: [] for column in numbers}
    for row, cells in rows:
        where = f"{name}, row {row}"
        if len(cells) != len(header):
            raise InputError(
                f"{where}: expected {len(header)} cells as in the header, got {len(cells)}."
            )
        key = cells[at[identifier]].strip() if identifier is not None else str(row)
        _check_id(key, ids, where, identifier)
        ids[key] = row
        entry_labels.append(_label(cells[at[label]], labels, f"{where}, column {label}"))
        for column in values:
            values[column].append(_number(cells[at[column]], f"{where}, column {column}"))
    if not ids:
        raise InputError(f"{name}: expected rows below the header, found none.")
    arrays = {column: np.asarray(listed, dtype=np.float64) for column, listed in values.items()}
    marked = {column: array == DISQUALIFIED for column, array in arrays.items()}
    return Table(
        source=Path(path).name,
        digest=hashlib.blake2b(content, digest_size=16).hexdigest(),
        ids=tuple(ids),
        labels=tuple(entry_labels),
        numbers={name: np.where(marked[name], np.nan, array) for name, array in arrays.items()},
        disqualified=marked,
    )


def _content(path: str | Path) -> bytes:
    try:
        return to_path(path, name="the table").read_bytes()
    except (OSError, ValueError) as error:
        reason = (getattr(error, "strerror", None) or str(error)).lower()
        raise InputError(f"{path}: expected a CSV file, but it cannot be read: {reason}.") from None


def _separator(text: str, wanted: Sequence[str]) -> str:
    """The separator by which the header holds all columns; without one, that of most columns."""
    headers: dict[str, list[str]] = {}
    for separator in _SEPARATORS:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
        with suppress(csv.Error, StopIteration):
            headers[separator] = [column.strip() for column in next(reader)]
    for separator, header in headers.items():
        if set(wanted) <= set(header):
            return separator
    return max(headers, key=lambda separator: len(headers[separator]), default=",")


def _parsed(
    content: bytes, name: str, wanted: Sequence[str]
) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """The header's names, and the rows with their numbers; empty lines are skipped."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(
            f"{name}: expected UTF-8 text, but byte {error.start:,} is not; "
            "save the table as CSV in UTF-8."
        ) from None
    try:
        reader = csv.reader(
            io.StringIO(text, newline=""), delimiter=_separator(text, wanted), strict=True
        )
        lines = list(reader)
    except csv.Error as error:
        raise InputError(
            f"{name}: expected values separated by commas, semicolons, tabs or bars: {error}."
        ) from None
    if not lines or not lines[0]:
        raise InputError(f"{name}: expected a header with column names in row 1, found none.")
    header = [column.strip() for column in lines[0]]
    return header, [(row, cells) for row, cells in enumerate(lines[1:], start=2) if cells]


def _position(column: str, header: list[str], name: str) -> int:
    times = header.count(column)
    if times == 1:
        return header.index(column)
    listed = ", ".join(header[:20]) + (", …" if len(header) > 20 else "")
    if times:
        raise InputError(f"{name}, row 1: column {column!r} appears {times} times; keep one.")
    raise InputError(
        f"{name}, row 1: there is no column {column!r}; it has {listed}. "
        "Name the columns to use with the command's options."
    )


def _check_id(key: str, seen: Mapping[str, int], where: str, column: str | None) -> None:
    if not key:
        raise InputError(f"{where}, column {column}: expected an id, got a blank.")
    if key in seen:
        raise InputError(
            f"{where}, column {column}: id {key!r} is already in row {seen[key]}; "
            "ids must be unique."
        )


def _label(cell: str, labels: Labels, where: str) -> str:
    label = cell.strip()
    if complaint := labels.complaint(label):
        raise InputError(f"{where}: {complaint}")
    return label


def _number(cell: str, where: str) -> float:
    text = cell.strip()
    try:
        # float() also takes 1_000, which no spreadsheet writes.
        value = float(text) if "_" not in text else math.nan
    except ValueError:
        value = math.nan
    if math.isfinite(value) and value >= 0:
        return value
    shown = f"{text[:40]!r}" if text else "a blank"
    hint = " Write it with a decimal point." if "," in text else ""
    raise InputError(f"{where}: expected a number of at least 0, got {shown}.{hint}")
