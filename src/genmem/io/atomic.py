"""Writing an output file whole or not at all, and finding out early that it cannot be written."""

from __future__ import annotations

import os
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO

from genmem.errors import UsageError


def check_writable(path: str | Path, *, suffixes: tuple[str, ...] = ()) -> None:
    """Make sure that a file can be made at `path`, before hours of work end in an error.

    Args:
        path: the file to be written later; it may exist and is not touched. A link stands for
            what it leads to.
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
    try:
        if _is_stream(path):
            if not os.access(path, os.W_OK):
                raise UsageError(f"cannot write {path}: permission denied")
            return
        folder = _target(path).parent
        if not folder.is_dir():
            raise UsageError(f"cannot write {path}: there is no folder {folder}; make it first")
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise UsageError(f"cannot write {path}: {_reason(error)}") from error


def check_folder_writable(folder: str | Path) -> None:
    """Make sure that files can be made in `folder`, which need not be there yet.

    Raises:
        UsageError: it, or a folder above it, is a file, or is closed to us.
    """
    folder = Path(folder)
    try:
        there = next(one for one in (folder, *folder.absolute().parents) if one.exists())
        if not there.is_dir():
            raise UsageError(f"cannot write into {folder}: {there} is a file; name another folder.")
        with tempfile.TemporaryFile(dir=there):
            pass
    except OSError as error:
        raise UsageError(
            f"cannot write into {folder}: {_reason(error)}; name another folder."
        ) from error


@contextmanager
def atomic_write(path: str | Path) -> Iterator[IO[bytes]]:
    """A binary file that appears at `path` when the block ends well, and not at all otherwise.

    The bytes go to a hidden file beside the one that `path` leads to, are flushed to the disk and
    moved into place in one step, so a reader sees the old file or the new one, never a part of
    either; links stay links. A pipe or a device (`/dev/stdout`, `/dev/null`) is no file to be
    replaced: it gets the bytes when the block has ended well.

    Raises:
        UsageError: the file cannot be written; the message says why.
        BrokenPipeError: whoever read the pipe stopped reading.
    """
    path = Path(path)
    try:
        with _into_stream(path) if _is_stream(path) else _into_file(_target(path)) as file:
            yield file
    except BrokenPipeError:
        raise
    except OSError as error:
        raise UsageError(f"cannot write {path}: {_reason(error)}") from error


@contextmanager
def _into_file(target: Path) -> Iterator[IO[bytes]]:
    """A new file that takes the place of `target` when the block ends well."""
    temporary: Path | None = None
    try:
        with tempfile.NamedTemporaryFile(
            dir=target.parent, prefix=f".{target.name}.", suffix=".tmp", delete=False
        ) as file:
            temporary = Path(file.name)
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


@contextmanager
def _into_stream(path: Path) -> Iterator[IO[bytes]]:
    """A file whose bytes go down the stream `path` when the block ends well."""
    with tempfile.TemporaryFile() as file:
        yield file
        file.seek(0)
        descriptor = _own_output(path.stat())
        opened = path if descriptor is None else descriptor
        with open(opened, "wb", closefd=descriptor is None) as stream:
            shutil.copyfileobj(file, stream)


def _is_stream(path: Path) -> bool:
    """Whether bytes can only be sent to `path`: a pipe, a device, or this process's own output.

    Raises:
        OSError: links that lead round in a circle, or a folder closed to us.
    """
    try:
        found = path.stat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    if stat.S_ISDIR(found.st_mode):
        return False
    return not stat.S_ISREG(found.st_mode) or _own_output(found) is not None


def _own_output(found: os.stat_result) -> int | None:
    """The descriptor, stdout or stderr, that is this very file (`/dev/stdout`, also to a file)."""
    for descriptor in (1, 2):
        with suppress(OSError):
            if os.path.samestat(found, os.fstat(descriptor)):
                return descriptor
    return None


def _target(path: Path) -> Path:
    """The file that `path` leads to; `path` itself, as it was given, where it is no link."""
    return path.resolve() if path.is_symlink() else path


def _umask() -> int:
    """The process's umask; it can only be read by setting it."""
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def _reason(error: OSError) -> str:
    """What the operating system says, without a path or an error number."""
    return (error.strerror or str(error)).lower()
