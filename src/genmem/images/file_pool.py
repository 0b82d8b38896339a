"""Files that are open only while they are read.

A set may have more shards than a process may open, and copies of remote shards fill the disk. A
`FilePool` closes what was read longest ago; a `PooledFile` opens again when it is next read.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Generic, Protocol, TypeVar

MAX_OPEN = 16
"""Files of one pool that are open at a time, beside those that threads are reading."""

MAX_COPIED_BYTES = 2**32
"""Temporary copies of one pool, 4 GiB. The copy that is being made comes on top."""


class _Closes(Protocol):
    def close(self) -> Any: ...


Opened = TypeVar("Opened", bound=_Closes)


class FilePool:
    """Closes the files read longest ago when too many are open, or their copies take too much disk.

    Args:
        max_open: files that may be open.
        max_bytes: bytes that their temporary copies may take.
    """

    def __init__(self, *, max_open: int = MAX_OPEN, max_bytes: int = MAX_COPIED_BYTES) -> None:
        self._max_open, self._max_bytes = max_open, max_bytes
        self._lock = threading.Lock()
        self._sizes: OrderedDict[PooledFile[Any], int] = OrderedDict()

    def admit(self, file: PooledFile[Any], size: int) -> None:
        """Count a file that was opened just now, and close others if there are too many.

        Args:
            file: its caller reads it, so it is not closed.
            size: bytes of its temporary copy, 0 without one.
        """
        with self._lock:
            self._sizes[file] = size
            for oldest in list(self._sizes)[:-1]:
                if len(self._sizes) <= self._max_open and (
                    sum(self._sizes.values()) <= self._max_bytes
                ):
                    break
                if oldest.close_if_idle():
                    del self._sizes[oldest]

    def touch(self, file: PooledFile[Any]) -> None:
        """Note that a file is being read."""
        with self._lock:
            self._sizes.move_to_end(file)


class PooledFile(Generic[Opened]):
    """A file that opens when it is read, and again after its pool closed it. Thread-safe.

    Args:
        open: opens it.
        pool: what may close it; None: it stays open until `close`.
        copy_bytes: the size of the temporary copy that `open` made.
    """

    def __init__(
        self,
        open: Callable[[], Opened],
        pool: FilePool | None = None,
        copy_bytes: Callable[[Opened], int] = lambda file: 0,
    ) -> None:
        self._open, self._pool, self._copy_bytes = open, pool, copy_bytes
        self._lock = threading.Lock()
        self._file: Opened | None = None

    @contextmanager
    def use(self) -> Iterator[Opened]:
        """The open file, for this thread alone."""
        with self._lock:
            if self._file is None:
                self._file = self._open()
                if self._pool:
                    self._pool.admit(self, self._copy_bytes(self._file))
            elif self._pool:
                self._pool.touch(self)
            yield self._file

    def close_if_idle(self) -> bool:
        """Close the file unless a thread is reading it; return whether it is closed."""
        if not self._lock.acquire(blocking=False):
            return False
        try:
            self._close()
        finally:
            self._lock.release()
        return True

    def close(self) -> None:
        """Close the file once no thread reads it; it opens again if it is read."""
        with self._lock:
            self._close()

    def _close(self) -> None:
        if self._file is not None:
            self._file.close()
            self._file = None
