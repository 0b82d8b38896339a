"""The rows of a set in a reference, by shard: features, ids, classes and content hashes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, overload

import numpy as np

from genmem.errors import InputError
from genmem.formatting import printable
from genmem.io.npy import read_npy_header
from genmem.reference.manifest import shard_file

SHARD_ROWS = 2**18
"""Rows of one shard, at most: 1.3 GB of 1,280 features."""

HASH_BYTES = 16


def shards_of(count: int) -> tuple[int, ...]:
    """The rows of each shard of so many rows."""
    full, rest = divmod(count, SHARD_ROWS)
    return (SHARD_ROWS,) * full + ((rest,) if rest else ())


def shard_slices(shards: Sequence[int], first: int = 0) -> Iterator[tuple[int, slice]]:
    """The number of each shard, from `first`, and its slice of the rows."""
    begin = 0
    for number, rows in enumerate(shards, first):
        yield number, slice(begin, begin + rows)
        begin += rows


def write_ids(path: Path, ids: Sequence[str], classes: Sequence[str | None]) -> None:
    """Write a table of ids and classes, a row for each image."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.table({"id": pa.array(ids, pa.string()), "class": pa.array(classes, pa.string())})
    pq.write_table(table, path)


def read_ids(path: Path, rows: int) -> tuple[list[str], list[str | None]]:
    """What `write_ids` wrote.

    Raises:
        InputError: it cannot be read, or has another number of rows.
    """
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        table = pq.read_table(path, columns=["id", "class"])
        ids, classes = (
            table.column(name).cast(pa.string()).to_pylist() for name in ("id", "class")
        )
    except MemoryError:
        raise
    except Exception as error:  # pyarrow raises almost anything on hostile bytes
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"{path}: expected a table of ids and classes: {reason}.") from error
    if len(ids) != rows or any(name is None for name in ids):
        raise InputError(f"{path}: expected {rows:,} ids, got {len(ids):,}, or some are missing.")
    return [printable(name) for name in ids], [
        None if name is None else printable(name) for name in classes
    ]


class StoredIds(Sequence[str]):
    """The ids of a set, read at first use."""

    def __init__(self, folder: Path, role: str, shards: Sequence[int]) -> None:
        self._folder = folder
        self._role = role
        self._shards = tuple(shards)
        self._read: tuple[list[str], list[str | None]] | None = None

    @property
    def classes(self) -> list[str | None]:
        """The class of each row; None where it has none."""
        return self.read()[1]

    def read(self) -> tuple[list[str], list[str | None]]:
        """All ids and classes.

        Raises:
            InputError: a table is damaged.
        """
        if self._read is None:
            ids: list[str] = []
            classes: list[str | None] = []
            for number, rows in enumerate(self._shards):
                part = read_ids(
                    self._folder / shard_file(self._role, "ids", number, ".parquet"), rows
                )
                ids += part[0]
                classes += part[1]
            self._read = ids, classes
        return self._read

    def __len__(self) -> int:
        return sum(self._shards)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[str]: ...
    def __getitem__(self, index: int | slice) -> str | Sequence[str]:
        return self.read()[0][index]


def read_array(path: Path, shape: tuple[int, ...], dtype: str, *, mapped: bool = False) -> Any:
    """An array of a reference.

    Args:
        path: a .npy file.
        shape: which it must have.
        dtype: as for `shape`.
        mapped: map it into memory, without a look at its values; otherwise they must be finite.

    Raises:
        InputError: it is another array, cut short, or holds NaN or infinity.
    """
    try:
        with path.open("rb") as file:
            header = read_npy_header(file)
            start = file.tell()
        if header.dtype != np.dtype(dtype) or header.shape != shape or header.fortran_order:
            raise InputError(
                f"{path}: expected {dtype} {list(shape)}, got {header.dtype} {list(header.shape)}. "
                "The file is damaged; get the reference again."
            )
        needed = start + int(np.prod(shape)) * np.dtype(dtype).itemsize
        if path.stat().st_size != needed:
            raise InputError(f"{path}: is cut short or too long. Get the reference again.")
        if not needed - start:
            return np.empty(shape, dtype)
        array = np.load(path, mmap_mode="r" if mapped else None, allow_pickle=False)
    except (InputError, MemoryError):
        raise
    except Exception as error:  # NumPy raises almost anything on hostile bytes
        reason = " ".join(str(error).split())[:200]
        raise InputError(f"{path}: cannot be read: {reason}.") from error
    if not mapped and array.dtype.kind == "f" and not np.isfinite(array).all():
        raise InputError(f"{path}: holds NaN or infinity. Get the reference again.")
    return array
