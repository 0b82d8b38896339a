"""Zip and tar archives, read entry by entry; nothing is extracted.

A zip and a plain tar are read in place. A compressed tar (.tar.gz, .tgz, .tar.bz2, .tar.xz) has no
random access: it is decompressed once, into an unnamed temporary file that closes with the source.

Damaged and hostile archives are refused when opened: names that leave the archive (`../x`, `/x`,
`C:x`), links, encrypted or repeated entries, and decompression bombs (`limits`). A backslash in a
name separates folders, as in zips made on Windows, unless it may be half of a letter: in Shift-JIS,
GBK and Big5 the second byte of some letters is that of a backslash.
"""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
import re
import stat
import tarfile
import zipfile
import zlib
from abc import abstractmethod
from array import array
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from pathlib import Path, PurePath
from typing import IO, NoReturn

import numpy as np
from numpy.typing import NDArray

from genmem.errors import InputError
from genmem.images.file_pool import FilePool, PooledFile
from genmem.images.filenames import NamedSource, PackedNames, is_ignored, printable_name
from genmem.images.limits import MAX_IMAGE_BYTES, refuse_bomb, too_large_error
from genmem.images.tempfiles import copy_to_tempfile

ARCHIVE_SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")

_DECOMPRESSORS = {".gz": gzip.open, ".tgz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
COPIED_SUFFIXES = tuple(_DECOMPRESSORS)
"""Of archives that are decompressed into a temporary file to be read."""
_SUSPECT = re.compile(r"\\|\0|^[A-Za-z]:|(^|/)\.{0,2}(/|$)")
_RAW_BYTE_THEN_BACKSLASH = re.compile(r"[\udc80-\udcff]\\")  # bytes that are not UTF-8
_LETTER_THEN_BACKSLASH = re.compile(r"[^\0-\x7f]\\")
_UTF8_NAME = 0x800
_MSDOS_FOLDER = 0x10
_BLOCK = 512
_LOCAL_HEADER = 30


class ArchiveSource(NamedSource):
    """Entries of one file, each at an offset with a length."""

    def __init__(
        self,
        file: PooledFile[IO[bytes]],
        names: PackedNames,
        columns: Sequence[array[int]],
        *,
        name: str,
        where: str,
    ) -> None:
        """Sort the `columns` of the index like the names; refuse repeated names."""
        if (repeated := names.first_duplicate()) is not None:
            raise InputError(
                f"{where}: {printable_name(repeated)} is in it twice. Create the archive again."
            )
        self._file = file
        self._columns = [_narrow(np.array(column)[names.order]) for column in columns]
        names.order = np.empty(0, np.int64)  # not needed any more
        super().__init__(names, name=name, where=where)

    def _read(self, position: int) -> bytes:
        return self._read_row(position, what=self.describe(position))

    def _read_side(self, position: int, suffix: str) -> bytes:
        rows = self._names.labels if suffix == ".cls" else self._names.captions
        assert rows is not None
        return self._read_row(int(rows[position]), what=f"{suffix} of {self.describe(position)}")

    @abstractmethod
    def _read_row(self, row: int, *, what: str) -> bytes:
        """The bytes of the file in one row of the index."""

    def close(self) -> None:
        """Close the archive, and with it the temporary file of a compressed tar."""
        self._file.close()


class ZipSource(ArchiveSource):
    """The images in a zip, stored or deflated."""

    def _read_row(self, row: int, *, what: str) -> bytes:
        offset, stored, size, checksum = (int(column[row]) for column in self._columns)
        if size > MAX_IMAGE_BYTES:
            raise too_large_error(size, what=what)
        with self._file.use() as file:
            header = _read_at(file, offset, _LOCAL_HEADER)
            offset += _LOCAL_HEADER + int.from_bytes(header[26:28], "little")
            content = _read_at(file, offset + int.from_bytes(header[28:30], "little"), stored)
        if int.from_bytes(header[8:10], "little") == zipfile.ZIP_DEFLATED:
            content = _inflate(content, size)
        if len(content) != size or zlib.crc32(content) != checksum:
            raise InputError(
                f"{what}: is damaged, its checksum differs. Download or create the archive again."
            )
        return content


class TarSource(ArchiveSource):
    """The images in a tar, plain or decompressed."""

    def _read_row(self, row: int, *, what: str) -> bytes:
        offset, size = (int(column[row]) for column in self._columns)
        if size > MAX_IMAGE_BYTES:
            raise too_large_error(size, what=what)
        with self._file.use() as file:
            return _read_at(file, offset, size)


def open_archive(
    open_file: Callable[[], IO[bytes]],
    *,
    name: str,
    where: str,
    pool: FilePool | None = None,
    is_copy: bool = False,
) -> ArchiveSource:
    """Read the index of a .zip, .tar or compressed tar.

    Args:
        open_file: opens the archive, at its start; called again when the pool closed it.
        name: of its last part, the suffix tells the kind.
        where: the archive, for messages.
        pool: what may close the archive while it is not read.
        is_copy: `open_file` makes a temporary copy of the archive, which counts in the pool.

    Raises:
        InputError: not such an archive, damaged, empty of images, or refused (see the module).
    """
    suffix = PurePath(name).suffix.lower()
    opener = _DECOMPRESSORS.get(suffix)
    file = PooledFile(
        partial(_decompress, open_file, opener, where) if opener else open_file,
        pool,
        _size if opener or is_copy else lambda file: 0,
    )
    index = [array("q") for _ in range(4 if suffix == ".zip" else 2)]
    list_names, source = (_index_zip, ZipSource) if suffix == ".zip" else (_index_tar, TarSource)
    try:
        with file.use() as opened:
            names = PackedNames(list_names(where, opened, index))
        return source(file, names, index, name=name, where=where)
    except BaseException:
        file.close()
        raise


def open_archive_file(path: Path, *, pool: FilePool | None = None) -> ArchiveSource:
    """Open an archive on this machine; see `open_archive`."""
    return open_archive(partial(path.open, "rb"), name=path.name, where=str(path), pool=pool)


def _narrow(column: NDArray[np.int64]) -> NDArray[np.unsignedinteger]:
    """The same numbers in 4 bytes each if they fit."""
    return column.astype(np.uint32 if column.max(initial=0) < 2**32 else np.uint64)


def _read_at(file: IO[bytes], offset: int, size: int) -> bytes:
    file.seek(offset)
    return file.read(size)


def _size(file: IO[bytes]) -> int:
    return os.fstat(file.fileno()).st_size


def _index_zip(where: str, file: IO[bytes], index: Sequence[array[int]]) -> Iterator[bytes]:
    """Yield the files' names; append header offset, stored size, size and CRC-32 to `index`."""
    try:
        with zipfile.ZipFile(file) as archive:
            entries = archive.infolist()
    except UnicodeDecodeError as error:
        raise InputError(
            f"{where}: a name in it is marked as UTF-8 and is not. Create the archive again."
        ) from error
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError) as error:
        raise InputError(f"{where}: not a zip archive, or cut short: {error}") from error
    stored = total = 0
    for entry in entries:
        if not entry.filename:
            raise InputError(f"{where}: an entry has no name: damaged. Create the archive again.")
        in_utf8 = entry.flag_bits & _UTF8_NAME
        name = _safe_name(
            entry.filename,
            where=where,
            ambiguous=_RAW_BYTE_THEN_BACKSLASH if in_utf8 else _LETTER_THEN_BACKSLASH,
        )
        if entry.flag_bits & 1:
            _refuse(where, entry.filename, "is encrypted. Decrypt the archive first.")
        if stat.S_ISLNK(entry.external_attr >> 16):
            _refuse(
                where, entry.filename, "is a link, expected a file. Archive the files themselves."
            )
        if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            _refuse(where, entry.filename, "is compressed, but not by deflate. Zip it again.")
        stored, total = stored + entry.compress_size, total + entry.file_size
        if name is not None and not _is_zip_folder(entry):
            row = entry.header_offset, entry.compress_size, entry.file_size, entry.CRC
            for column, value in zip(index, row, strict=True):
                column.append(value)
            yield name
    size = file.seek(0, 2)
    if stored > size:
        raise InputError(
            f"{where}: its entries overlap ({stored:,} bytes of entries in {size:,}): a zip bomb, "
            "or damaged. Create the archive again."
        )
    refuse_bomb(total, compressed=size, what=where)


def _is_zip_folder(entry: zipfile.ZipInfo) -> bool:
    """Whether an entry is a folder: by its name, or as MS-DOS and Windows mark folders."""
    marked = entry.external_attr & _MSDOS_FOLDER and not entry.file_size
    return entry.filename.endswith(("/", "\\")) or bool(marked)


def _inflate(content: bytes, size: int) -> bytes:
    """At most `size` + 1 bytes of raw deflate data; nothing if it is damaged."""
    try:
        return zlib.decompressobj(-zlib.MAX_WBITS).decompress(content, size + 1)
    except zlib.error:
        return b""


def _index_tar(where: str, file: IO[bytes], index: Sequence[array[int]]) -> Iterator[bytes]:
    """Yield the files' names; append their data's offset and size to `index`."""
    offsets, sizes = index
    try:
        with tarfile.open(fileobj=file, mode="r:") as archive:
            while (entry := archive.next()) is not None:
                archive.members.clear()  # or all are kept  # pyright: ignore[reportAttributeAccessIssue]
                name = _safe_name(entry.name, where=where)
                if entry.islnk() or entry.issym():
                    _refuse(
                        where, entry.name, "is a link, expected a file. Archive with --dereference."
                    )
                if entry.isdir():
                    continue
                if not entry.isreg() or entry.issparse():
                    _refuse(
                        where, entry.name, "is not an ordinary file. Create the tar without it."
                    )
                if name is not None:
                    offsets.append(entry.offset_data)
                    sizes.append(entry.size)
                    yield name
            end = archive.offset
    except (tarfile.TarError, OSError, ValueError, EOFError) as error:
        raise InputError(f"{where}: not a tar archive, or cut short: {error}") from error
    file.seek(end)
    if file.read(_BLOCK) != bytes(_BLOCK):
        raise InputError(
            f"{where}: is damaged or cut short: no end mark at byte {end:,}. Download or create "
            "it again."
        )


def _decompress(
    open_file: Callable[[], IO[bytes]], opener: Callable[[IO[bytes]], IO[bytes]], where: str
) -> IO[bytes]:
    try:
        with open_file() as file:
            size = file.seek(0, 2)
            file.seek(0)
            with opener(file) as stream:
                return copy_to_tempfile(stream, compressed=size, what=where)
    except (OSError, EOFError, zlib.error, lzma.LZMAError) as error:
        raise InputError(f"{where}: cannot be decompressed: {error}") from error


def _safe_name(
    name: str, *, where: str, ambiguous: re.Pattern[str] = _RAW_BYTE_THEN_BACKSLASH
) -> bytes | None:
    """An entry's path below the archive's root; None for ignored files (see `filenames`)."""
    if _SUSPECT.search(name):
        if ambiguous.search(name):
            _refuse(
                where,
                name,
                "is not UTF-8, so its backslash may be half of a letter or separate folders. "
                "Create the archive again with names in UTF-8.",
            )
        parts = re.split(r"[/\\]", name)
        if name[:1] in ("/", "\\") or name[1:2] == ":" or ".." in parts or "\0" in name:
            _refuse(where, name, "points outside the archive. Do not trust it; create it again.")
        name = "/".join(part for part in parts if part not in ("", "."))
    packed = _packed(name)
    return None if any(map(is_ignored, packed.split(b"/"))) else packed


def _packed(name: str) -> bytes:
    return name.encode("utf-8", "surrogateescape")


def _refuse(where: str, name: str, reason: str) -> NoReturn:
    raise InputError(f"{printable_name(_packed(name))} in {where}: {reason}")
