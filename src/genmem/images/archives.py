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
import re
import stat
import tarfile
import zipfile
import zlib
from array import array
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, NoReturn

import numpy as np

from genmem.errors import InputError
from genmem.images.filenames import NamedSource, PackedNames, is_ignored, printable_name
from genmem.images.limits import MAX_IMAGE_BYTES, refuse_bomb, too_large_error
from genmem.images.tempfiles import SharedFile, copy_to_tempfile

ARCHIVE_SUFFIXES = (".zip", ".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tar.xz")

_DECOMPRESSORS = {".gz": gzip.open, ".tgz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
_SUSPECT = re.compile(r"\\|\0|^[A-Za-z]:|(^|/)\.{0,2}(/|$)")
_RAW_BYTE_THEN_BACKSLASH = re.compile(r"[\udc80-\udcff]\\")  # bytes that are not UTF-8
_LETTER_THEN_BACKSLASH = re.compile(r"[^\0-\x7f]\\")
_UTF8_NAME = 0x800
_MSDOS_FOLDER = 0x10
_BLOCK = 512
_LOCAL_HEADER = 30


class ArchiveSource(NamedSource):
    """Entries of one open file, each at an offset with a length."""

    def __init__(
        self, path: Path, file: IO[bytes], names: PackedNames, *columns: array[int]
    ) -> None:
        """Sort the `columns` of the index like the names; refuse repeated names."""
        if (name := names.first_duplicate()) is not None:
            raise InputError(
                f"{path}: {printable_name(name)} is in it twice. Create the archive again."
            )
        self._file = SharedFile(file)
        self._columns = [np.array(column)[names.order] for column in columns]
        super().__init__(names, name=path.name, where=str(path))

    def close(self) -> None:
        """Close the archive, and with it the temporary file of a compressed tar."""
        self._file.close()


class ZipSource(ArchiveSource):
    """The images in a zip, stored or deflated."""

    def __init__(self, path: Path, file: IO[bytes]) -> None:
        index = tuple(array("q") for _ in range(4))
        super().__init__(path, file, PackedNames(_index_zip(path, file, index)), *index)

    def _read(self, position: int) -> bytes:
        offset, stored, size, checksum = (int(column[position]) for column in self._columns)
        if size > MAX_IMAGE_BYTES:
            raise too_large_error(size, what=self.describe(position))
        header = self._file.read_at(offset, _LOCAL_HEADER)
        offset += _LOCAL_HEADER + int.from_bytes(header[26:28], "little")
        content = self._file.read_at(offset + int.from_bytes(header[28:30], "little"), stored)
        if int.from_bytes(header[8:10], "little") == zipfile.ZIP_DEFLATED:
            content = _inflate(content, size)
        if len(content) != size or zlib.crc32(content) != checksum:
            raise InputError(
                f"{self.describe(position)}: is damaged, its checksum differs. Download or create "
                "the archive again."
            )
        return content


class TarSource(ArchiveSource):
    """The images in a tar, plain or decompressed."""

    def __init__(self, path: Path, file: IO[bytes]) -> None:
        index = array("q"), array("q")
        super().__init__(path, file, PackedNames(_index_tar(path, file, index)), *index)

    def _read(self, position: int) -> bytes:
        offset, size = (int(column[position]) for column in self._columns)
        if size > MAX_IMAGE_BYTES:
            raise too_large_error(size, what=self.describe(position))
        return self._file.read_at(offset, size)


def open_archive(path: Path) -> ArchiveSource:
    """Open a .zip, .tar or compressed tar and read its index.

    Raises:
        InputError: not such an archive, damaged, empty of images, or refused (see the module).
    """
    opener = _DECOMPRESSORS.get(path.suffix.lower())
    file = _decompress(path, opener) if opener else path.open("rb")
    try:
        kind = ZipSource if path.suffix.lower() == ".zip" else TarSource
        return kind(path, file)
    except BaseException:
        file.close()
        raise


def _index_zip(path: Path, file: IO[bytes], index: tuple[array[int], ...]) -> Iterator[bytes]:
    """Yield the files' names; append header offset, stored size, size and CRC-32 to `index`."""
    try:
        with zipfile.ZipFile(file) as archive:
            entries = archive.infolist()
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path}: a name in it is marked as UTF-8 and is not. Create the archive again."
        ) from error
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError) as error:
        raise InputError(f"{path}: not a zip archive, or cut short: {error}") from error
    stored = total = 0
    for entry in entries:
        if not entry.filename:
            raise InputError(f"{path}: an entry has no name: damaged. Create the archive again.")
        in_utf8 = entry.flag_bits & _UTF8_NAME
        name = _safe_name(
            entry.filename,
            path=path,
            ambiguous=_RAW_BYTE_THEN_BACKSLASH if in_utf8 else _LETTER_THEN_BACKSLASH,
        )
        if entry.flag_bits & 1:
            _refuse(path, entry.filename, "is encrypted. Decrypt the archive first.")
        if stat.S_ISLNK(entry.external_attr >> 16):
            _refuse(
                path, entry.filename, "is a link, expected a file. Archive the files themselves."
            )
        if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            _refuse(path, entry.filename, "is compressed, but not by deflate. Zip it again.")
        stored, total = stored + entry.compress_size, total + entry.file_size
        if name is not None and not _is_zip_folder(entry):
            row = entry.header_offset, entry.compress_size, entry.file_size, entry.CRC
            for column, value in zip(index, row, strict=True):
                column.append(value)
            yield name
    size = file.seek(0, 2)
    if stored > size:
        raise InputError(
            f"{path}: its entries overlap ({stored:,} bytes of entries in {size:,}): a zip bomb, "
            "or damaged. Create the archive again."
        )
    refuse_bomb(total, compressed=size, what=str(path))


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


def _index_tar(path: Path, file: IO[bytes], index: tuple[array[int], ...]) -> Iterator[bytes]:
    """Yield the files' names; append their data's offset and size to `index`."""
    offsets, sizes = index
    try:
        with tarfile.open(fileobj=file, mode="r:") as archive:
            while (entry := archive.next()) is not None:
                archive.members.clear()  # or all are kept  # pyright: ignore[reportAttributeAccessIssue]
                name = _safe_name(entry.name, path=path)
                if entry.islnk() or entry.issym():
                    _refuse(
                        path, entry.name, "is a link, expected a file. Archive with --dereference."
                    )
                if entry.isdir():
                    continue
                if not entry.isreg() or entry.issparse():
                    _refuse(path, entry.name, "is not an ordinary file. Create the tar without it.")
                if name is not None:
                    offsets.append(entry.offset_data)
                    sizes.append(entry.size)
                    yield name
            end = archive.offset
    except (tarfile.TarError, OSError, ValueError, EOFError) as error:
        raise InputError(f"{path}: not a tar archive, or cut short: {error}") from error
    file.seek(end)
    if file.read(_BLOCK) != bytes(_BLOCK):
        raise InputError(
            f"{path}: is damaged or cut short: no end mark at byte {end:,}. Download or create "
            "it again."
        )


def _decompress(path: Path, opener: Callable[[Path], IO[bytes]]) -> IO[bytes]:
    try:
        with opener(path) as stream:
            return copy_to_tempfile(stream, compressed=path.stat().st_size, what=str(path))
    except (OSError, EOFError, zlib.error, lzma.LZMAError) as error:
        raise InputError(f"{path}: cannot be decompressed: {error}") from error


def _safe_name(
    name: str, *, path: Path, ambiguous: re.Pattern[str] = _RAW_BYTE_THEN_BACKSLASH
) -> bytes | None:
    """An entry's path below the archive's root; None for ignored files (see `filenames`)."""
    if _SUSPECT.search(name):
        if ambiguous.search(name):
            _refuse(
                path,
                name,
                "is not UTF-8, so its backslash may be half of a letter or separate folders. "
                "Create the archive again with names in UTF-8.",
            )
        parts = re.split(r"[/\\]", name)
        if name[:1] in ("/", "\\") or name[1:2] == ":" or ".." in parts or "\0" in name:
            _refuse(path, name, "points outside the archive. Do not trust it; create it again.")
        name = "/".join(part for part in parts if part not in ("", "."))
    packed = _packed(name)
    return None if any(map(is_ignored, packed.split(b"/"))) else packed


def _packed(name: str) -> bytes:
    return name.encode("utf-8", "surrogateescape")


def _refuse(path: Path, name: str, reason: str) -> NoReturn:
    raise InputError(f"{printable_name(_packed(name))} in {path}: {reason}")
