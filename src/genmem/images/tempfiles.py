"""Files shared by threads, and unnamed temporary files for bytes that come only once."""

from __future__ import annotations

import tempfile
import threading
from contextlib import suppress
from typing import IO

from genmem.images.limits import refuse_bomb
from genmem.io.paths import temporary_file_errors

_CHUNK_BYTES = 2**20
_REMOTE_CHUNK_BYTES = 2**23  # a request each in object storage


def new_tempfile() -> IO[bytes]:
    """An empty file in the system's temporary folder (`$TMPDIR`); closing it deletes it.

    Raises:
        UsageError: there is no such folder, or it cannot be written.
    """
    with temporary_file_errors():
        return tempfile.TemporaryFile(prefix="genmem-")


def copy_to_tempfile(stream: IO[bytes], *, compressed: int | None, what: str) -> IO[bytes]:
    """Copy a stream that can be read only once into a temporary file.

    Args:
        stream: what to copy.
        compressed: bytes that the stream decompresses; None if it does not.
        what: the file they are in, for messages.

    Returns:
        The file, at its start.

    Raises:
        InputError: the stream is a decompression bomb (see `limits`).
        UsageError: the disk of the temporary folder is full.
    """
    file = new_tempfile()
    size = _REMOTE_CHUNK_BYTES if compressed is None else _CHUNK_BYTES
    try:
        while chunk := stream.read(size):
            with temporary_file_errors():
                file.write(chunk)
            if compressed is not None:
                refuse_bomb(file.tell(), compressed=compressed, what=what)
        with temporary_file_errors():
            file.seek(0)  # writes the last bytes
    except BaseException:
        with suppress(OSError):
            file.close()
        raise
    return file


class SharedFile:
    """An open file that any thread may read at any offset."""

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
