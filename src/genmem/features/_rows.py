"""float32 .npy files that grow by rows and are checked when they are opened again."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from io import BufferedRandom
from pathlib import Path
from typing import BinaryIO, Self

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

BLOCK_BYTES = 1 << 24


def _blocks(file: BinaryIO, length: int) -> Iterator[bytes]:
    """The next `length` bytes of a file, or as many as there are."""
    while length > 0 and (block := file.read(min(BLOCK_BYTES, length))):
        length -= len(block)
        yield block


def _write_header(file: BinaryIO, rows: int, width: int) -> None:
    """Write the .npy header; NumPy pads it so that the number of rows can grow in place."""
    file.seek(0)
    npy.write_array_header_1_0(
        file, {"descr": "<f4", "fortran_order": False, "shape": (rows, width)}
    )


class RowFile:
    """A float32 .npy file [rows, width] being written, with a running checksum of its rows.

    Until `write_row_count` its header says 0 rows.
    """

    def __init__(self, path: Path, width: int) -> None:
        self.width = width
        self.rows = 0
        self.checksum = hashlib.blake2b(digest_size=16)
        self.file: BufferedRandom = path.open("w+b")
        _write_header(self.file, 0, width)

    @classmethod
    def reopen(cls, path: Path, width: int, rows: int, checksum: str | None) -> Self | None:
        """Go on after the first `rows` rows; None if they are not what was written.

        Rows beyond them were not yet vouched for and are cut off.
        """
        self = cls.__new__(cls)
        self.width, self.rows = width, rows
        self.checksum = hashlib.blake2b(digest_size=16)
        try:
            self.file = path.open("r+b")
        except OSError:
            return None
        _write_header(self.file, 0, width)
        end = self.file.tell() + rows * width * 4
        for block in _blocks(self.file, rows * width * 4):
            self.checksum.update(block)
        if self.file.tell() != end or self.checksum.hexdigest() != checksum:
            self.file.close()
            return None
        self.file.truncate(end)
        return self

    def append(self, rows: NDArray[np.float32]) -> None:
        """Write rows [b, width] at the end."""
        content = np.ascontiguousarray(rows, dtype="<f4").tobytes()
        self.file.write(content)
        self.checksum.update(content)
        self.rows += len(rows)

    def flush(self) -> None:
        """Put everything on the disk."""
        self.file.flush()
        os.fsync(self.file.fileno())

    def write_row_count(self) -> None:
        """Make the header say how many rows there are."""
        _write_header(self.file, self.rows, self.width)
        self.file.seek(0, os.SEEK_END)

    def close(self) -> None:
        """Close the file."""
        self.file.close()


def rows_are_intact(
    path: Path, rows: int, width: int, checksum: str | None
) -> NDArray[np.float32] | None:
    """The file's rows, memory-mapped; None if it is not what was written."""
    hasher = hashlib.blake2b(digest_size=16)
    try:
        with path.open("rb") as file:
            npy.read_magic(file)
            shape, fortran, dtype = npy.read_array_header_1_0(file)
            for block in _blocks(file, rows * width * 4 + 1):
                hasher.update(block)
        if (shape, fortran, dtype.str) != ((rows, width), False, "<f4"):
            return None
        if hasher.hexdigest() != checksum:
            return None
        return np.load(path, mmap_mode="r", allow_pickle=False)
    except Exception:  # NumPy evaluates the header as Python: a damaged one raises almost anything
        return None
