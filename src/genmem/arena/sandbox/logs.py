"""The log of a program, limited in size: its beginning and its end."""

from __future__ import annotations

from pathlib import Path

_HINTS = {
    "MemoryError": "it asked for more memory than the limit of {memory}",
    "Cannot allocate memory": "it asked for more memory than the limit of {memory}",
    "bad_alloc": "it asked for more memory than the limit of {memory}",
    "No space left on device": "/scratch, /tmp and $HOME hold at most {scratch}, in memory",
    "File too large": "one file may have at most {file}",
    "can't start new thread": "at most {processes} processes and threads are allowed",
    "Resource temporarily unavailable": "at most {processes} processes and threads are allowed",
    "Read-only file system": "only /output and /scratch are writable",
    "Network is unreachable": "there is no network",
    "Temporary failure in name resolution": "there is no network",
    "Name or service not known": "there is no network",
}


class Log:
    """The log of one run. The first bytes are written as they come, the last ones on close."""

    def __init__(self, path: Path, *, limit: int) -> None:
        self.path = path
        self._file = path.open("wb", buffering=0)
        self._left = limit - limit // 4
        self._tail_limit = limit // 4
        self._tail = bytearray()
        self._dropped = 0
        self._limit = limit

    @property
    def truncated(self) -> bool:
        """Whether part of the output is missing."""
        return self._dropped > 0

    def write(self, data: bytes) -> None:
        """Append `data`; where the log is full, only the last bytes are kept."""
        self._file.write(data[: self._left])
        self._tail += data[self._left :]
        self._left = max(0, self._left - len(data))
        excess = len(self._tail) - self._tail_limit
        if excess > 0:
            del self._tail[:excess]
            self._dropped += excess

    def text(self) -> str:
        """The output that is kept so far."""
        return (self.path.read_bytes() + self._tail).decode(errors="replace")

    def close(self, *notes: str) -> None:
        """Write the last bytes, then the notes, a line each, whatever the size."""
        if self.truncated:
            self._line(
                f"{self._dropped:,} bytes are omitted here: a log holds at most {self._limit:,}"
            )
        self._file.write(self._tail)
        for note in notes:
            self._line(note)
        self._file.close()

    def _line(self, text: str) -> None:
        self._file.write(f"\n[sandbox] {text}\n".encode())


def hints(text: str, **limits: str) -> list[str]:
    """Explain known error messages.

    Args:
        text: the output of a program.
        limits: values for the placeholders of `_HINTS`, as text.
    """
    matches = (hint.format(**limits) for phrase, hint in _HINTS.items() if phrase in text)
    return list(dict.fromkeys(matches))
