"""Files read by many threads, and unnamed temporary ones for bytes that come only once."""

from __future__ import annotations

import tempfile
import threading
from typing import IO

from genmem.images.limits import refuse_bomb

_PIECE = 2**20


def new_tempfile() -> IO[bytes]:
    """An empty file in the system's temporary folder (`$TMPDIR`), gone when closed."""
    return tempfile.TemporaryFile(prefix="genmem-")


def copy_to_tempfile(stream: IO[bytes], *, compressed: int, what: str) -> IO[bytes]:
    """Copy all of `stream`, which decompresses `compressed` bytes of the file `what`; rewound.

    Raises:
        InputError: it unpacks to suspiciously much; the copy is gone by then.
    """
    file = new_tempfile()
    try:
        while piece := stream.read(_PIECE):
            file.write(piece)
            refuse_bomb(file.tell(), compressed=compressed, what=what)
    except BaseException:
        file.close()
        raise
    file.seek(0)
    return file


class SharedFile:
    """An open file, read at any place from any thread."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self._lock = file, threading.Lock()

    def read_at(self, offset: int, size: int) -> bytes:
        """The `size` bytes at `offset`; fewer at the end of the file."""
        with self._lock:
            self._file.seek(offset)
            return self._file.read(size)

    def close(self) -> None:
        """Close the file."""
        self._file.close()
