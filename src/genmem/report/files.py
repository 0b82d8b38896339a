"""Writing an output file whole or not at all, and finding out early that it cannot be written."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from genmem.errors import UsageError


def check_writable(path: str | Path, *, suffixes: tuple[str, ...] = ()) -> None:
    """Make sure that a file can be made at `path`, before hours of work end in an error.

    Args:
        path: the file to be written later; it may exist and is not touched.
        suffixes: the endings the file may have (`(".html", ".htm")`); any when empty.

    Raises:
        UsageError: the folder is missing or closed to us, `path` is a folder, or the ending is
            another.
    """
    path = Path(path)
    if suffixes and path.suffix.lower() not in suffixes:
        raise UsageError(f"expected a file name ending in {' or '.join(suffixes)}, got {path}")
    if path.is_dir():
        raise UsageError(f"cannot write {path}: it is a folder; name a file in it")
    if not path.parent.is_dir():
        raise UsageError(f"cannot write {path}: there is no folder {path.parent}; make it first")
    try:
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        raise UsageError(f"cannot write {path}: {_reason(error)}") from error


@contextmanager
def written_whole(path: str | Path) -> Iterator[IO[bytes]]:
    """A binary file that appears at `path` when the block ends well, and not at all otherwise.

    The bytes go to a hidden file beside `path`, are flushed to the disk and moved into place in
    one step, so a reader sees the old file or the new one, never a part of either.

    Raises:
        UsageError: the file cannot be written; the message says why.
    """
    path = Path(path)
    temporary: Path | None = None
    try:
        with tempfile.NamedTemporaryFile(
            dir=path.parent, prefix=f".{path.name}.", suffix=".tmp", delete=False
        ) as file:
            temporary = Path(file.name)
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(path)
        temporary = None
    except OSError as error:
        raise UsageError(f"cannot write {path}: {_reason(error)}") from error
    finally:
        if temporary is not None:
            with suppress(OSError):
                temporary.unlink()


def _umask() -> int:
    """The process's umask; it can only be read by setting it."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _reason(error: OSError) -> str:
    """What the operating system says, without a path or an error number."""
    return (error.strerror or str(error)).lower()
