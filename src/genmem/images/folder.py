"""A folder of image files, read recursively.

Paths are bytes here: a name need not be text, and a Path per file costs more than reading it. Hence
no pathlib:
"""

# ruff: noqa: PTH116, PTH118, PTH120, PTH123

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa

from genmem.errors import InputError, os_reason
from genmem.images.filenames import NamedSource, PackedNames, is_ignored, keys_of
from genmem.images.limits import MAX_IMAGE_BYTES, too_large_error
from genmem.images.shards import KINDS, local_file, open_shards
from genmem.images.source import ImageSource

_SHARD_SUFFIXES = tuple(suffix.encode() for known in KINDS.values() for suffix in known)


def _walk(root: bytes, *, where: str) -> Iterator[bytes]:
    """Yield the paths below `root` of all files that are not ignored, in no order.

    Links to files and folders are followed. A link that leads back up is refused, and so is a
    folder that several links together reach again within itself.
    """
    folders: list[tuple[bytes, frozenset[tuple[int, int]]]] = [(b"", _with(frozenset(), root))]
    while folders:
        below, holders = folders.pop()
        with os.scandir(os.path.join(root, below)) as entries:
            for entry in entries:
                if is_ignored(entry.name):
                    continue
                if entry.is_file():
                    yield below + entry.name
                elif entry.is_dir():
                    if entry.is_symlink():
                        _refuse_loop(entry, where=where)
                    inside = _with(holders, entry.path)
                    if len(inside) == len(holders):
                        raise _loop(entry, where=where)
                    folders.append((below + entry.name + b"/", inside))
                else:
                    raise InputError(
                        f"{os.fsdecode(entry.path)}: neither a file nor a folder, or a broken "
                        "link. Remove it."
                    )


def _with(holders: frozenset[tuple[int, int]], folder: bytes) -> frozenset[tuple[int, int]]:
    """The identities (device, inode) of a folder and of the folders on the way to it."""
    status = os.stat(folder)
    return holders | {(status.st_dev, status.st_ino)}


def _refuse_loop(link: os.DirEntry[bytes], *, where: str) -> None:
    holder = os.path.realpath(os.path.dirname(link.path))
    target = os.path.realpath(link.path)
    if os.path.commonpath([holder, target]) == target:
        raise _loop(link, where=where)


def _loop(link: os.DirEntry[bytes], *, where: str) -> InputError:
    return InputError(
        f"{os.fsdecode(link.path)}: this link leads back to a folder that holds it, so {where} "
        "has no end. Remove the link."
    )


class FolderSource(NamedSource):
    """The images below a folder, in order of their paths.

    Names are packed into a few dozen bytes each: millions of files fit in memory.
    """

    def __init__(self, path: Path, names: PackedNames) -> None:
        self._root = os.fsencode(path)
        super().__init__(names, name=path.absolute().name, where=str(path))

    def _read(self, position: int) -> bytes:
        with open(os.path.join(self._root, self._names[position]), "rb", buffering=0) as file:
            size = os.fstat(file.fileno()).st_size
            if size > MAX_IMAGE_BYTES:
                raise too_large_error(size, what=self.describe(position))
            return file.read()

    def _read_side(self, position: int, suffix: str) -> bytes:
        key = keys_of(pa.array([self._names[position]]))[0].as_py()
        with open(os.path.join(self._root, key + suffix.encode()), "rb", buffering=0) as file:
            return file.read(MAX_IMAGE_BYTES)


def open_folder(path: Path) -> ImageSource:
    """Open a folder: its images, or if it holds none, its shards (see `shards`).

    Raises:
        InputError: it cannot be listed, or holds neither.
    """
    root, shards = os.fsencode(path), list[bytes]()

    def names() -> Iterator[bytes]:
        for name in _walk(root, where=str(path)):
            if name.lower().endswith(_SHARD_SUFFIXES):
                shards.append(name)
            yield name

    try:
        packed = PackedNames(names())
    except OSError as error:
        raise InputError(
            f"{os.fsdecode(error.filename)}: cannot be listed: {os_reason(error)}."
        ) from error
    if packed.images.any() or not shards:
        return FolderSource(path, packed)
    files = [local_file(os.fsdecode(os.path.join(root, name))) for name in sorted(shards)]
    others = len(packed) + packed.side_files - len(files)
    source = open_shards(files, name=path.absolute().name, where=str(path))
    source.side_file_count += others
    return source
