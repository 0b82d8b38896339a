"""Storage of uploads, features, distances and logs, in a folder or an S3 bucket.

    store_file(path, name)   store a local file as `name`, durably and atomically
    local(name)              … as a readable local path, inside a `with` block
    open_read(name)          … as a stream
    exists, remove, list_names, list_files

Names are relative, with `/` between their parts: `submissions/<id>.zip`. `arena.toml` says where
files are stored: `storage = "storage"` (a folder) or `storage = "s3://BUCKET/PREFIX"`.
"""

from __future__ import annotations

import functools
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO, Protocol

from django.conf import settings

from genmem.arena.core.configuration import Configuration
from genmem.arena.submissions import fs
from genmem.arena.submissions.exceptions import StorageError

INCOMING = "incoming"
"""The folder, below the local storage folder, of unfinished uploads and temporary files."""


class Store(Protocol):
    """A place where files are stored under names."""

    def store_file(self, source: Path, name: str) -> None:
        """Store a copy of a local file, replacing any of this name."""
        ...

    def local(self, name: str) -> AbstractContextManager[Path]:
        """Return a local path with the content, inside a `with` block."""
        ...

    def open_read(self, name: str) -> BinaryIO:
        """Return a stream of the content."""
        ...

    def exists(self, name: str) -> bool:
        """Return whether there is such a file."""
        ...

    def remove(self, name: str) -> None:
        """Delete the file, if it exists."""
        ...

    def list_files(self, prefix: str) -> Iterator[tuple[str, datetime]]:
        """Return the names that begin with a prefix, sorted, each with its time of writing."""
        ...


def store_file(source: Path, name: str) -> None:
    """Store a local file as `name`, replacing any of this name. It is durable when this returns.

    Readers find the whole file or none. The source may be deleted afterwards but must not be
    written to, since a folder stores a hard link to it where possible.
    """
    get_store().store_file(source, _checked(name))


def local(name: str) -> AbstractContextManager[Path]:
    """Return a local path of a stored file, valid until the block ends. Do not write to it.

    Raises:
        FileNotFoundError: there is no file of this name.
    """
    return get_store().local(_checked(name))


def open_read(name: str) -> BinaryIO:
    """Return a stream of a stored file; the caller closes it.

    Raises:
        FileNotFoundError: there is no file of this name.
    """
    return get_store().open_read(_checked(name))


def exists(name: str) -> bool:
    """Return whether a file of this name is stored."""
    return get_store().exists(_checked(name))


def remove(name: str) -> None:
    """Delete the file of this name, if it exists."""
    get_store().remove(_checked(name))


def list_names(prefix: str) -> list[str]:
    """Return the names that begin with `prefix`, sorted: `list_names("features/<id>/")`."""
    return [name for name, _ in list_files(prefix)]


def list_files(prefix: str) -> Iterator[tuple[str, datetime]]:
    """Return the names that begin with `prefix`, sorted, each with its time of writing."""
    return get_store().list_files(prefix)


@contextmanager
def scratch_folder() -> Iterator[Path]:
    """Create an empty local folder on the storage's disk, removed when the block ends."""
    with tempfile.TemporaryDirectory(dir=incoming_folder(), ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def incoming_folder() -> Path:
    """Return the local folder of unfinished uploads and temporary files."""
    return settings.ARENA.storage_folder / INCOMING


def stored_path(name: str) -> Path:
    """Return the path of a file in a storage folder; `local` works for buckets too."""
    return settings.ARENA.storage_folder / _checked(name)


def get_store() -> Store:
    """Return the store that `arena.toml` names."""
    return _store(settings.ARENA)


@functools.lru_cache(maxsize=8)
def _store(configuration: Configuration) -> Store:
    if not configuration.storage_is_bucket:
        return Folder(configuration.storage_folder)
    from genmem.arena.submissions.bucket import Bucket

    return Bucket(
        address=configuration.storage,
        endpoint=configuration.storage_endpoint,
        key=configuration.storage_key,
        secret=configuration.storage_secret,
        scratch=scratch_folder,
    )


class Folder:
    """Files below a local folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def store_file(self, source: Path, name: str) -> None:
        """Link or copy the file, then rename it once it is on disk."""
        fs.put(source, self.root / name)

    @contextmanager
    def local(self, name: str) -> Iterator[Path]:
        """Return the file's own path."""
        if not self.exists(name):
            raise FileNotFoundError(2, "there is no stored file of this name", name)
        yield self.root / name

    def open_read(self, name: str) -> BinaryIO:
        """Open the file."""
        return (self.root / name).open("rb")

    def exists(self, name: str) -> bool:
        """Return whether there is such a file."""
        return (self.root / name).is_file()

    def remove(self, name: str) -> None:
        """Delete the file and folders that become empty, except top-level ones."""
        path = self.root / name
        path.unlink(missing_ok=True)
        for parent in path.parents:
            if self.root in (parent, parent.parent) or not fs.remove_if_empty(parent):
                break

    def list_files(self, prefix: str) -> Iterator[tuple[str, datetime]]:
        """Search only the folder that the prefix names."""
        base = self.root / prefix.rpartition("/")[0]
        for path in sorted(base.rglob("*")):
            name = path.relative_to(self.root).as_posix()
            hidden = path.name.startswith(".") or name.startswith(f"{INCOMING}/")
            if name.startswith(prefix) and not hidden and path.is_file():
                status = path.stat()  # a hard link has the modification time of its source
                written = max(status.st_mtime, status.st_ctime)
                yield name, datetime.fromtimestamp(written, UTC)


def _checked(name: str) -> str:
    parts = name.split("/")
    plain = all(part and not part.startswith(".") and "\\" not in part for part in parts)
    if not plain or "\0" in name or parts[0] == INCOMING:
        raise ValueError(f"expected a storage name such as features/a/b.npy, got {name!r}")
    return name


def check_storage() -> None:
    """Write, read and delete a small file, so that a wrong setting is found at start-up.

    Raises:
        StorageError: it failed.
    """
    incoming_folder().mkdir(parents=True, exist_ok=True)
    with scratch_folder() as folder:
        probe = folder / "probe"
        probe.write_bytes(b"probe")
        name = f"probes/{folder.name}"
        try:
            store_file(probe, name)
            with open_read(name) as stream:
                is_intact = stream.read() == b"probe"
            remove(name)
        except OSError as error:
            where = settings.ARENA.storage
            raise StorageError(f"the storage {where}: {error.strerror or error}") from error
    if not is_intact:
        raise StorageError(
            f"the storage {settings.ARENA.storage} returned different bytes than were written"
        )


def free_bytes() -> int:
    """Return the free bytes of the disk that receives uploads."""
    return shutil.disk_usage(incoming_folder()).free
