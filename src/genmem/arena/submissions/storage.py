"""The only door to files: uploads, features, distances and logs, in a folder or an S3 bucket.

    keep(path, name)       a local file is kept as `name`, durably and all at once
    local(name)            … and is a readable local path again, for as long as it is needed
    open_read(name)        a stream of it
    exists, remove, names, listing

Names are relative, with `/` between their parts: `submissions/<id>.zip`. `arena.toml` says where
they are kept: `storage = "storage"` (a folder) or `storage = "s3://BUCKET/PREFIX"`.
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
"""The folder, below the local storage folder, of what is on its way here or is only passing."""


class Store(Protocol):
    """A place where files are kept under names."""

    def keep(self, source: Path, name: str) -> None:
        """Keep a copy of a local file, in place of any of this name."""
        ...

    def local(self, name: str) -> AbstractContextManager[Path]:
        """A local path with the content, while it is needed."""
        ...

    def open_read(self, name: str) -> BinaryIO:
        """A stream of the content."""
        ...

    def exists(self, name: str) -> bool:
        """Whether there is such a file."""
        ...

    def remove(self, name: str) -> None:
        """Delete it, if it is there."""
        ...

    def listing(self, prefix: str) -> Iterator[tuple[str, datetime]]:
        """Names that begin with a prefix, sorted, each with the time it was written."""
        ...


def keep(source: Path, name: str) -> None:
    """Keep a local file as `name`, in place of any of this name; it is durable when this returns.

    Readers find the whole file or none. The source may be deleted afterwards; it is not to be
    written to, since in a folder it is linked where that can be done.
    """
    store().keep(source, _checked(name))


def local(name: str) -> AbstractContextManager[Path]:
    """A readable local path of a kept file, good until the block ends. It is not to be written to.

    Raises:
        FileNotFoundError: nothing is kept under this name.
    """
    return store().local(_checked(name))


def open_read(name: str) -> BinaryIO:
    """A stream of a kept file, to be closed by the caller.

    Raises:
        FileNotFoundError: nothing is kept under this name.
    """
    return store().open_read(_checked(name))


def exists(name: str) -> bool:
    """Whether something is kept under this name."""
    return store().exists(_checked(name))


def remove(name: str) -> None:
    """Delete what is kept under this name; nothing happens where there is nothing."""
    store().remove(_checked(name))


def names(prefix: str) -> list[str]:
    """The names that begin with `prefix`, sorted: `names("features/<id>/")`."""
    return [name for name, _ in listing(prefix)]


def listing(prefix: str) -> Iterator[tuple[str, datetime]]:
    """The names that begin with `prefix`, sorted, each with the time it was written."""
    return store().listing(prefix)


@contextmanager
def scratch() -> Iterator[Path]:
    """An empty local folder on the storage's own disk, removed when the block ends."""
    with tempfile.TemporaryDirectory(dir=incoming(), ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def incoming() -> Path:
    """The local folder of what is on its way here."""
    return settings.ARENA.storage_folder / INCOMING


def stored(name: str) -> Path:
    """The path of a file in a storage folder; `local` serves buckets too."""
    return settings.ARENA.storage_folder / _checked(name)


def store() -> Store:
    """Where `arena.toml` says that files are kept."""
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
        scratch=scratch,
    )


class Folder:
    """Files below a local folder."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def keep(self, source: Path, name: str) -> None:
        """Linked where that can be done, copied elsewhere; moved to its name once it is on disk."""
        fs.put(source, self.root / name)

    @contextmanager
    def local(self, name: str) -> Iterator[Path]:
        """The file itself."""
        if not self.exists(name):
            raise FileNotFoundError(2, "nothing is kept under this name", name)
        yield self.root / name

    def open_read(self, name: str) -> BinaryIO:
        """The file itself."""
        return (self.root / name).open("rb")

    def exists(self, name: str) -> bool:
        """Whether there is such a file."""
        return (self.root / name).is_file()

    def remove(self, name: str) -> None:
        """Delete it, and the folders this leaves empty; those at the top stay for the next file."""
        path = self.root / name
        path.unlink(missing_ok=True)
        for parent in path.parents:
            if self.root in (parent, parent.parent) or not fs.remove_if_empty(parent):
                break

    def listing(self, prefix: str) -> Iterator[tuple[str, datetime]]:
        """Looks only into the folder that the prefix names."""
        base = self.root / prefix.rpartition("/")[0]
        for path in sorted(base.rglob("*")):
            name = path.relative_to(self.root).as_posix()
            hidden = path.name.startswith(".") or name.startswith(f"{INCOMING}/")
            if name.startswith(prefix) and not hidden and path.is_file():
                found = path.stat()  # a file that was linked here has the time of its source
                written = max(found.st_mtime, found.st_ctime)
                yield name, datetime.fromtimestamp(written, UTC)


def _checked(name: str) -> str:
    parts = name.split("/")
    plain = all(part and not part.startswith(".") and "\\" not in part for part in parts)
    if not plain or "\0" in name or parts[0] == INCOMING:
        raise ValueError(f"{name!r} is no name of a kept file: expected such as features/a/b.npy")
    return name


def check_storage() -> None:
    """Write, read and delete a small file, so that a wrong setting shows at the start.

    Raises:
        StorageError: this cannot be done.
    """
    incoming().mkdir(parents=True, exist_ok=True)
    with scratch() as folder:
        probe = folder / "probe"
        probe.write_bytes(b"probe")
        name = f"probes/{folder.name}"
        try:
            keep(probe, name)
            with open_read(name) as stream:
                whole = stream.read() == b"probe"
            remove(name)
        except OSError as error:
            where = settings.ARENA.storage
            raise StorageError(f"the storage {where}: {error.strerror or error}") from error
    if not whole:
        raise StorageError(
            f"the storage {settings.ARENA.storage} gave back other bytes than it got"
        )


def free_bytes() -> int:
    """Room on the disk that uploads arrive on."""
    return shutil.disk_usage(incoming()).free
