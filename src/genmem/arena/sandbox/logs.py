"""What a program prints, kept within bounds: the beginning and the end."""

from __future__ import annotations

from pathlib import Path

_HINTS = {
    "MemoryError": "it asked for more memory than the limit of {memory}",
    "Cannot allocate memory": "it asked for more memory than the limit of {memory}",
    "bad_alloc": "it asked for more memory than the limit of {memory}",
    "No space left on device": "/scratch, /tmp and $HOME hold {scratch}, in memory",
    "File too large": "one file may have {file}",
    "can't start new thread": "it may have {processes} processes and threads",
    "Resource temporarily unavailable": "it may have {processes} processes and threads",
    "Read-only file system": "only /output and /scratch can be written",
    "Network is unreachable": "there is no network",
    "Temporary failure in name resolution": "there is no network",
    "Name or service not known": "there is no network",
}


class Log:
    """The log of one run: its first bytes as they come, its last ones and the notes at the end."""

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
        """Whether something printed is not kept."""
        return self._dropped > 0

    def write(self, data: bytes) -> None:
        """Keep `data`, or its end, if there is room."""
        self._file.write(data[: self._left])
        self._tail += data[self._left :]
        self._left = max(0, self._left - len(data))
        excess = len(self._tail) - self._tail_limit
        if excess > 0:
            del self._tail[:excess]
            self._dropped += excess

    def text(self) -> str:
        """What is kept of the print-out so far."""
        return (self.path.read_bytes() + self._tail).decode(errors="replace")

    def close(self, *notes: str) -> None:
        """Write the end, then the notes, a line each, whatever the size."""
        if self.truncated:
            self._line(
                f"{self._dropped:,} bytes are left out here: a log has {self._limit:,} at most"
            )
        self._file.write(self._tail)
        for note in notes:
            self._line(note)
        self._file.close()

    def _line(self, text: str) -> None:
        self._file.write(f"\n[sandbox] {text}\n".encode())


def hints(text: str, **limits: str) -> list[str]:
    """What known complaints in `text` mean in the sandbox; `limits` in words."""
    found = (hint.format(**limits) for phrase, hint in _HINTS.items() if phrase in text)
    return list(dict.fromkeys(found))
