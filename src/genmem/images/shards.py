"""Sets of several shards: files of one kind that a pattern, a folder or a URL names.

Shards are listed, hashed and decoded one after the other, in order. In memory are the names of
their entries and 8 bytes more of each tar's entry, in arrays; at most `file_pool.MAX_OPEN` shards
are open. An archive that is remote or compressed is copied as a whole to a temporary file while it
is read; it is hashed when it is listed, so that a set beyond the bound on copies
(`file_pool.MAX_COPIED_BYTES`) is fetched twice in all. Of a remote parquet file only the footer and
the columns that are needed are fetched.
"""

from __future__ import annotations

import glob
import os
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genmem.errors import InputError
from genmem.formatting import count, printable
from genmem.images.archives import COPIED_SUFFIXES, open_archive
from genmem.images.classes import shared_folder
from genmem.images.file_pool import FilePool
from genmem.images.filenames import IMAGE_SUFFIXES, NamedSource, is_ignored
from genmem.images.hashing import hash_images
from genmem.images.parquet import ParquetSource
from genmem.images.patterns import expand_braces, has_wildcards, matches
from genmem.images.remote import RemoteFile, connect, list_files
from genmem.images.source import ImageHashes, ImageSource, NoImagesError, number_id
from genmem.io.urls import is_url, without_secrets

KINDS = {
    "tar": (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz"),
    "zip": (".zip",),
    "parquet": (".parquet",),
}
"""The suffixes of each kind of shard."""

_IMAGES = tuple(f".{suffix}" for suffix in IMAGE_SUFFIXES.split())
_MAX_OPEN_PARQUET = 2


class ShardedSource(ImageSource):
    """The entries of several sources of one kind, one source after the other."""

    def __init__(
        self,
        shards: Sequence[ImageSource],
        *,
        names: Sequence[str] | None,
        name: str,
        where: str,
    ) -> None:
        """Join the shards.

        Args:
            shards: the sources, in order; they are closed with this one.
            names: what stands before each shard's ids; None: entries are numbered through.
            name: as `ImageSource.name`.
            where: as `ImageSource.where`.
        """
        self.name, self.where = name, where
        self._shards, self._names = shards, names
        self._begins = np.cumsum([0, *map(len, shards)], dtype=np.int64)
        self.side_file_count = sum(shard.side_file_count for shard in shards)
        self.non_image_count = sum(shard.non_image_count for shard in shards)
        for number, shard in enumerate(shards):
            if shard.first_non_image is not None:
                prefix = "" if names is None else f"{names[number]}/"
                self.first_non_image = prefix + shard.first_non_image
                break
        _share_class_root([shard for shard in shards if isinstance(shard, NamedSource)])
        if all(shard.hashes is not None for shard in shards):
            rows = [shard.hashes.per_image for shard in shards if shard.hashes is not None]
            self.hashes = ImageHashes(per_image=np.concatenate(rows))
            for shard in shards:
                shard.hashes = None  # this source has them

    def __len__(self) -> int:
        return int(self._begins[-1])

    def _find(self, position: int) -> tuple[int, int]:
        """The number of an entry's shard, and its position there."""
        shard = int(np.searchsorted(self._begins, position, side="right")) - 1
        return shard, position - int(self._begins[shard])

    def id(self, position: int) -> str:
        """The shard's name and the entry's id in it, or the entry's number."""
        if self._names is None:
            return number_id(position, len(self))
        shard, local = self._find(position)
        return f"{self._names[shard]}/{self._shards[shard].id(local)}"

    def describe(self, position: int) -> str:
        """The entry's id in its shard, and the shard."""
        shard, local = self._find(position)
        return self._shards[shard].describe(local)

    def content(self, position: int) -> bytes | NDArray[np.uint8]:
        """The entry's bytes, from its shard."""
        shard, local = self._find(position)
        return self._shards[shard].content(local)

    def class_name(self, position: int) -> str | None:
        """The entry's class in its shard; folders are those that differ among all shards."""
        shard, local = self._find(position)
        return self._shards[shard].class_name(local)

    def caption(self, position: int) -> str | None:
        """The text stored with the entry in its shard."""
        shard, local = self._find(position)
        return self._shards[shard].caption(local)

    def close(self) -> None:
        """Close all shards."""
        for shard in self._shards:
            shard.close()


def _share_class_root(shards: Sequence[NamedSource]) -> None:
    if not shards:
        return
    ends = [end for shard in shards for end in shard.ends]
    root = shared_folder(min(ends), max(ends))
    for shard in shards:
        shard.class_root = root


@dataclass(frozen=True)
class ShardFile:
    """A shard that is not opened yet.

    Attributes:
        path: its path or URL, for messages and ids.
        open: opens it for reading at any offset.
        remote: the remote file; None on this machine.
    """

    path: str
    open: Callable[[], Any]
    remote: RemoteFile | None = None

    @property
    def is_copied(self) -> bool:
        """Whether an archive is copied to a temporary file to be read."""
        return self.remote is not None or self.path.lower().endswith(COPIED_SUFFIXES)


def local_file(path: str) -> ShardFile:
    """A shard on this machine."""
    if _kind(path) == "parquet":
        return ShardFile(path, lambda: path)  # pyarrow opens it
    return ShardFile(path, partial(Path(path).open, "rb"))


def open_pattern(pattern: str) -> ShardedSource:
    """Open the shards that a pattern with braces or wildcards names; see `patterns`.

    Raises:
        InputError: nothing matches, the shards are of unlike kinds, or one cannot be read.
    """
    shown = without_secrets(pattern)
    expand = _expand_url if is_url(pattern) else _expand_path
    files = [file for text in expand_braces(pattern) for file in expand(text)]
    if not files:
        raise InputError(f"{shown}: no file matches this pattern. Check it, and quote it.")
    return open_shards(files, name=PurePosixPath(shown).name, where=shown)


def _expand_path(pattern: str) -> Iterator[ShardFile]:
    if not has_wildcards(pattern) or Path(pattern).exists():
        if not Path(pattern).is_file():
            raise InputError(f"{pattern}: there is no such file, but the pattern names it.")
        yield local_file(pattern)
        return
    paths = glob.iglob(pattern, recursive=True)  # noqa: PTH207 Path.glob needs a folder
    for path in sorted(paths, key=os.fsencode):
        if Path(path).is_file():
            yield local_file(path)


def _expand_url(url: str) -> Iterator[ShardFile]:
    if not has_wildcards(url, url=True):
        yield _remote_file(connect(url))
        return
    path, mark, query = url.partition("?")
    parts = path.split("/")
    fixed = next(number for number, part in enumerate(parts) if has_wildcards(part))
    folder = connect("/".join(parts[:fixed]) + "/" + mark + query)
    for file in list_files(folder, recursive=fixed < len(parts) - 1):
        if matches(file.url, without_secrets(path)):
            yield _remote_file(file)


def _remote_file(file: RemoteFile) -> ShardFile:
    is_parquet = file.url.lower().endswith(KINDS["parquet"])
    return ShardFile(file.url, file.open if is_parquet else file.copy, file)


def open_url(url: str) -> ImageSource:
    """Open one remote archive or parquet file, or a remote folder of them.

    Raises:
        InputError: it cannot be read, or holds no shards.
    """
    shown = without_secrets(url)
    if _kind(shown) is not None:
        return _open(_remote_file(connect(url)), FilePool())
    if PurePosixPath(shown).suffix and not shown.endswith("/"):
        raise InputError(
            f"{shown}: expected a tar, zip or parquet file, or a folder of them (with a final "
            "slash). Download other files first."
        )
    files = [_remote_file(file) for file in list_files(connect(url))]
    if not files:
        raise InputError(f"{shown}: expected a folder of tar, zip or parquet files, found nothing.")
    return open_shards(files, name=PurePosixPath(shown).name, where=shown)


def open_shards(
    files: Iterable[ShardFile], *, name: str, where: str, numbered: bool = False
) -> ShardedSource:
    """Open the shards among some files, in their order; others are left out and counted.

    Args:
        files: the shards, and what lies beside them.
        name: as `ImageSource.name`.
        where: as `ImageSource.where`.
        numbered: ids are numbers, counted through all shards.

    Raises:
        InputError: there are no shards, of unlike kinds, one twice, or one cannot be read.
    """
    kind, shards, left_out = choose_shards(list(files), where=where)
    pool = FilePool(max_open=_MAX_OPEN_PARQUET) if kind == "parquet" else FilePool()
    opened: list[ImageSource] = []
    paths: list[str] = []
    try:
        for file in shards:
            try:
                source = _open(file, pool)
            except NoImagesError:  # of a shard whose downloads failed, for example
                if file is shards[-1] and not opened:
                    raise
                continue
            opened.append(source)
            paths.append(file.path)
            if kind != "parquet" and file.is_copied:
                hash_images(source)
        _refuse_unlike_columns(opened)
        names = None if numbered else shard_names(paths)
        joined = ShardedSource(opened, names=names, name=name, where=where)
    except BaseException:
        for source in opened:
            with suppress(OSError):
                source.close()
        raise
    joined.side_file_count += left_out
    return joined


def _open(file: ShardFile, pool: FilePool) -> ImageSource:
    name = PurePosixPath(file.path).name
    if _kind(file.path) == "parquet":
        return ParquetSource(file.open, name=name, where=file.path, pool=pool)
    return open_archive(
        file.open, name=name, where=file.path, pool=pool, is_copy=file.remote is not None
    )


def _refuse_unlike_columns(shards: Sequence[ImageSource]) -> None:
    tables = [shard for shard in shards if isinstance(shard, ParquetSource)]
    for table in tables:
        if table.column != tables[0].column:
            raise InputError(
                f"{table.where}: its images are in the column {table.column}, those of "
                f"{tables[0].where} in {tables[0].column}; expected one column in all."
            )


def _kind(path: str) -> str | None:
    lower = path.lower()
    return next((kind for kind, suffixes in KINDS.items() if lower.endswith(suffixes)), None)


def choose_shards(files: Sequence[ShardFile], *, where: str) -> tuple[str, list[ShardFile], int]:
    """The shards among files: their kind, themselves, and how many other files are left out.

    A parquet file named like an archive beside it holds img2dataset's metadata, and is no shard.

    Raises:
        InputError: no file is a shard, shards are of unlike kinds, or one is named twice.
    """
    by_kind: dict[str, list[ShardFile]] = defaultdict(list)
    for file in files:
        if not is_ignored(os.fsencode(PurePosixPath(file.path).name)):
            is_image = file.path.lower().endswith(_IMAGES)
            by_kind["image" if is_image else _kind(file.path) or ""].append(file)
    others = len(by_kind.pop("", ()))
    stems = {_stem(file.path) for kind in ("tar", "zip") for file in by_kind.get(kind, ())}
    if stems and "parquet" in by_kind:
        tables = by_kind.pop("parquet")
        if unlike := [file for file in tables if _stem(file.path) not in stems]:
            by_kind["parquet"] = unlike
        else:
            others += len(tables)
    if list(by_kind) == ["image"] or not by_kind:
        found = f"{count(len(files), 'file')}, such as {files[0].path}" if files else "nothing"
        raise InputError(
            f"{where}: expected tar, zip or parquet files, found {found}. For images as files, "
            "give their folder."
        )
    if len(by_kind) > 1:
        found = " and ".join(
            f"{count(len(some), f'{kind} file')} ({some[0].path})" for kind, some in by_kind.items()
        )
        raise InputError(
            f"{where}: expected shards of one kind, found {found}. Choose by a pattern, such as "
            "'shards/*.tar'."
        )
    [(kind, shards)] = by_kind.items()
    path, times = Counter(file.path for file in shards).most_common(1)[0]
    if times > 1:
        raise InputError(f"{where}: names {path} {times} times. Name each shard once.")
    return kind, shards, others


def _stem(path: str) -> str:
    """A path without the suffix of its kind."""
    lower = path.lower()
    suffixes = [suffix for known in KINDS.values() for suffix in known if lower.endswith(suffix)]
    return path[: -max(map(len, suffixes))] if suffixes else path


def shard_names(paths: Sequence[str]) -> list[str]:
    """The name of each shard in ids: its path below their common folder, without the suffix.

    Where two shards would have one name (`a.tar`, `a.tar.gz`), all keep their suffixes.
    """
    encoded = sorted(map(os.fsencode, paths))
    root = len(shared_folder(encoded[0], encoded[-1]))
    below = [os.fsdecode(os.fsencode(path)[root:]) for path in paths]
    stems = [_stem(path) for path in below]
    return [printable(name) for name in (stems if len({*stems}) == len(stems) else below)]
