"""Check early that an output file can be written; write it completely or not at all."""

from __future__ import annotations

import glob
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from genmem.errors import UsageError, os_reason
from genmem.io.paths import temporary_file_errors, to_path

try:
    import fcntl
except ImportError:  # Windows: leftovers stay
    fcntl = None

LEFTOVER_SECONDS = 10.0
"""Age of a temporary file that no process has locked, after which its writer counts as dead."""


def check_writable(path: str | Path, *, suffixes: tuple[str, ...] = ()) -> None:
    """Check that a file can be written at `path`, before hours of work end in an error.

    Args:
        path: the file to write later; it may exist and is not changed. A link stands for its
            target.
        suffixes: the suffixes that the file may have (`(".html", ".htm")`); any if empty.

    Raises:
        UsageError: the folder is missing or not writable, `path` is a folder, or it has another
            suffix.
    """
    path = to_path(path, name="the output file")
    if suffixes and path.suffix.lower() not in suffixes:
        raise UsageError(f"expected a file name ending in {' or '.join(suffixes)}, got {path}.")
    if path.is_dir():
        raise UsageError(f"cannot write {path}: it is a folder; name a file in it.")
    try:
        if _is_stream(path):
            if not os.access(path, os.W_OK):
                raise UsageError(f"cannot write {path}: permission denied.")
            return
        folder = _target(path).parent
        if not folder.is_dir():
            raise UsageError(f"cannot write {path}: there is no folder {folder}; create it first.")
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise UsageError(f"cannot write {path}: {os_reason(error)}.") from error


def check_folder_writable(folder: str | Path) -> None:
    """Check that files can be written into `folder`, which need not exist yet.

    Raises:
        UsageError: it is empty; it, or a folder above it, is a file, a broken link or not writable.
    """
    folder = to_path(folder, name="the output directory")
    try:
        parent = next(
            path
            for path in (folder, *folder.absolute().parents)
            if path.exists() or path.is_symlink()
        )
        if not parent.exists():
            raise UsageError(
                f"cannot write into {folder}: {parent} is a broken link; remove it or name another "
                "folder."
            )
        if not parent.is_dir():
            raise UsageError(
                f"cannot write into {folder}: {parent} is a file; name another folder."
            )
        with tempfile.TemporaryFile(dir=parent):
            pass
    except OSError as error:
        raise UsageError(
            f"cannot write into {folder}: {os_reason(error)}; name another folder."
        ) from error


@contextmanager
def atomic_write(path: str | Path) -> Iterator[IO[bytes]]:
    """Open a binary file that appears at `path` if the block succeeds, and not at all otherwise.

    The bytes go to a hidden file beside the target of `path`, are flushed to the disk and moved
    into place in one step: a reader sees the old file or the new one, never a part of either. Links
    stay links. A pipe or a device (`/dev/stdout`, `/dev/null`) cannot be replaced: it receives the
    bytes after the block has succeeded.

    Raises:
        UsageError: the file cannot be written; the message says why.
        BrokenPipeError: the reader of the pipe stopped reading.
    """
    path = Path(path)
    try:
        with _into_stream(path) if _is_stream(path) else _into_file(_target(path)) as file:
            yield file
    except BrokenPipeError:
        raise
    except OSError as error:
        raise UsageError(f"cannot write {path}: {os_reason(error)}.") from error


@contextmanager
def _into_file(target: Path) -> Iterator[IO[bytes]]:
    """A new file that replaces `target` if the block succeeds."""
    _remove_leftovers(target)
    temporary: Path | None = None
    try:
        with tempfile.NamedTemporaryFile(
            dir=target.parent, prefix=f".{target.name}.", suffix=".tmp", delete=False
        ) as file:
            temporary = Path(file.name)
            _lock(file, fcntl.LOCK_SH if fcntl else 0)
            yield file
            file.flush()
            os.fsync(file.fileno())
        temporary.chmod(0o666 & ~_umask())
        temporary.replace(target)
        temporary = None
    finally:
        if temporary is not None:
            with suppress(OSError):
                temporary.unlink()


def _remove_leftovers(target: Path) -> None:
    """Remove what killed processes left of earlier attempts to write `target`.

    A living writer holds a lock on its file, or has touched it a moment ago.
    """
    for path in target.parent.glob(f".{glob.escape(target.name)}.*.tmp"):
        with suppress(OSError):
            if time.time() - path.stat().st_mtime > LEFTOVER_SECONDS:
                with path.open("rb") as file:
                    if _lock(file, fcntl.LOCK_EX | fcntl.LOCK_NB if fcntl else 0):
                        path.unlink()


def _lock(file: IO[bytes], operation: int) -> bool:
    """Lock an open file until it is closed; whether that is possible here and now."""
    if fcntl is None:
        return False
    try:
        fcntl.flock(file.fileno(), operation)
    except OSError:  # another process has the lock, or the file system has none
        return False
    return True


@contextmanager
def _into_stream(path: Path) -> Iterator[IO[bytes]]:
    """A file whose bytes are sent to the stream `path` if the block succeeds."""
    with temporary_file_errors():
        file = tempfile.TemporaryFile()  # noqa: SIM115
    with file:
        with temporary_file_errors():
            yield file
            file.seek(0)
        descriptor = _own_output(path.stat())
        stream_file = path if descriptor is None else descriptor
        with open(stream_file, "wb", closefd=descriptor is None) as stream:
            shutil.copyfileobj(file, stream)


def _is_stream(path: Path) -> bool:
    """Whether bytes can only be sent to `path`: a pipe, a device, or this process's own output.

    Raises:
        OSError: links in a circle, or a folder that cannot be read.
    """
    try:
        status = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    if stat.S_ISDIR(status.st_mode):
        return False
    return not stat.S_ISREG(status.st_mode) or _own_output(status) is not None


def _own_output(status: os.stat_result) -> int | None:
    """The descriptor, stdout or stderr, that writes to this very file; None otherwise."""
    for descriptor in (1, 2):
        with suppress(OSError):
            if os.path.samestat(status, os.fstat(descriptor)):
                return descriptor
    return None


def _target(path: Path) -> Path:
    """The target of `path` if it is a link, else `path` unchanged."""
    return path.resolve() if path.is_symlink() else path


def _umask() -> int:
    """The process's umask; it can only be read by setting it."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask
