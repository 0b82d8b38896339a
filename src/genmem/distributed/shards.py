"""Shards of a feature array: rows that a task opens where it runs.

A shard is a file, a part of a mapped file or of a shared array, or a `Shard` of another kind. Where
rows are divided never changes a result.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genmem.arrays import rows_not_finite
from genmem.distributed.cluster import Cluster, Shared
from genmem.errors import InputError, os_reason
from genmem.io.npy import read_npy_header

PART_BYTES = 256 * 2**20
"""Bytes of a shard that a task reads at once, and compares with all queries."""

_SHARD_BYTES = 2 * 2**30
_TASKS_PER_PLACE = 4
_LEAST_ROWS = 16_384
"""An array is cut into shards of at most so many bytes, and into several for each place; but a
shard has its own k nearest rows to measure, so that small ones cost more than they give."""


class Shard(ABC):
    """Consecutive rows of a feature array; it can be pickled.

    Attributes:
        rows: how many.
        dimension: columns.
        row_bytes: bytes of a row as stored.
    """

    rows: int
    dimension: int
    row_bytes: int

    @abstractmethod
    def open(self) -> Any:
        """The rows, float [rows, dimension]; mapped, or generated on access, if they are many."""


@dataclass(frozen=True)
class FileShard(Shard):
    """Rows of a C-ordered array in a file that all machines see under the same name.

    Attributes:
        path: of the file.
        dtype: of the array, such as "<f4".
        offset: bytes before the first of these rows.
        rows, dimension: as in `Shard`.
    """

    path: str
    dtype: str
    offset: int
    rows: int
    dimension: int

    @property
    def row_bytes(self) -> int:  # pyright: ignore[reportIncompatibleVariableOverride]
        """See `Shard`."""
        return self.dimension * np.dtype(self.dtype).itemsize

    def open(self) -> NDArray[Any]:
        """See `Shard`."""
        try:
            return np.memmap(
                self.path, self.dtype, "r", self.offset, (self.rows, self.dimension), "C"
            )
        except (OSError, ValueError) as error:
            reason = os_reason(error) if isinstance(error, OSError) else str(error)
            raise InputError(
                f"{self.path}: cannot be read by a worker ({reason}). All machines must see the "
                "file under this name: put it, or $GENMEM_CACHE, into a folder that they share."
            ) from error


@dataclass(frozen=True)
class ArrayShard(Shard):
    """Rows of an array that the cluster shares.

    Attributes:
        array: float [n, dimension].
        start: the first of these rows.
        rows, dimension, row_bytes: as in `Shard`.
    """

    array: Shared
    start: int
    rows: int
    dimension: int
    row_bytes: int

    def open(self) -> NDArray[Any]:
        """See `Shard`."""
        return self.array.get()[self.start : self.start + self.rows]


def open_shard(source: str | Path | Shard) -> Shard:
    """A shard of a whole .npy file; a shard as it is.

    Raises:
        InputError: the file is missing, or no C-ordered floating-point array [n, d].
    """
    if isinstance(source, Shard):
        return source
    path = Path(source)
    try:
        with path.open("rb") as file:
            header = read_npy_header(file)
            offset = file.tell()
    except OSError as error:
        raise InputError(f"cannot read {path}: {os_reason(error)}.") from error
    except ValueError as error:
        raise InputError(f"{path}: {error}.") from error
    if len(header.shape) != 2 or header.fortran_order or header.dtype.kind != "f":
        raise InputError(
            f"{path}: expected a shard of features, floating point [n, d] in C order, got "
            f"{header.dtype} {list(header.shape)}."
        )
    rows, dimension = header.shape
    return FileShard(str(path.absolute()), header.dtype.str, offset, rows, dimension)


def shards_of(array: Any, cluster: Cluster) -> list[Shard]:
    """Cut an array into shards; an array in memory is put where all tasks can read it.

    Args:
        array: NumPy [n, d]; a memory map of a file stays on the disk.
        cluster: has the places among which the rows are shared out.
    """
    count, dimension = array.shape
    row_bytes = dimension * array.dtype.itemsize
    fair = -(-count // (_TASKS_PER_PLACE * cluster.places()))
    step = max(1, min(_SHARD_BYTES // row_bytes, max(fair, _LEAST_ROWS)))
    bounds = [(start, min(step, count - start)) for start in range(0, count, step)]
    if (offset := _file_offset(array)) is not None:
        path = str(Path(array.filename).absolute())
        return [
            FileShard(path, array.dtype.str, offset + start * row_bytes, rows, dimension)
            for start, rows in bounds
        ]
    shared = cluster.share(array)
    return [ArrayShard(shared, start, rows, dimension, row_bytes) for start, rows in bounds]


def parts_of(shard: Shard) -> Iterator[tuple[int, Any]]:
    """First row and rows of the parts of a shard, each small enough to be read at once."""
    array = shard.open()
    step = max(1, PART_BYTES // shard.row_bytes)
    for start in range(0, shard.rows, step):
        yield start, array[start : min(shard.rows, start + step)]


def check_finite(rows: Any, first: int, *, role: str) -> None:
    """Raise InputError if a row holds NaN or infinity.

    Args:
        rows: float [b, d].
        first: the number of the first among all rows.
        role: what they are, for the message.
    """
    if len(bad := rows_not_finite(rows)):
        raise InputError(
            f"{role}: row {first + int(bad[0])} holds NaN or infinity; every feature must be "
            "finite. Recompute the features of that image or leave it out."
        )


def first_rows(shards: Sequence[Shard]) -> list[int]:
    """The number of each shard's first row among all rows."""
    return [0, *np.cumsum([shard.rows for shard in shards])[:-1].tolist()]


def _file_offset(array: Any) -> int | None:
    """Bytes before an array in the file that it maps; None if it is no C-ordered map of one."""
    if not (isinstance(array, np.memmap) and array.filename and array.flags.c_contiguous):
        return None
    # A slice of a map has the map's attributes: where it begins, its memory tells.
    base: Any = array
    while isinstance(base.base, np.ndarray):
        base = base.base
    if not isinstance(base, np.memmap) or base.mode == "c":
        return None
    address, first = (item.__array_interface__["data"][0] for item in (array, base))
    return base.offset + address - first
