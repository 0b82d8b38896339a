"""Checks of a zip's list of files, before any image is unpacked."""

from __future__ import annotations

import re
import stat
import struct
import unicodedata
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from genmem.images.filenames import is_ignored, printable_name


@dataclass(frozen=True, kw_only=True)
class ZipLimits:
    """Size limits of a submitted zip, in bytes.

    Attributes:
        zip_bytes: size of the zip.
        image_bytes: size of one image file (PNG, JPEG, …) once unpacked.
        index_bytes: size of the list of files, so that a zip of millions of empty files is
            refused before the list is read.
    """

    zip_bytes: int
    image_bytes: int
    index_bytes: int


def limits_for(*, count: int, width: int, height: int, zip_bytes: int) -> ZipLimits:
    """Compute limits that no honest submission reaches: 16 bytes per pixel and 64 KiB per image.

    Args:
        count: images in a submission.
        width: of each image, in pixels.
        height: of each image, in pixels.
        zip_bytes: largest upload, in bytes.
    """
    return ZipLimits(
        zip_bytes=zip_bytes,
        image_bytes=16 * width * height + 2**16,
        index_bytes=2**20 + 1024 * count,
    )


MAX_NAME = 255
"""Longest name of a file in a zip, folders included, in characters: scoring keeps the names of a
submission in an array as wide as the longest of them."""

_END, _END64, _LOCATOR64 = b"PK\5\6", b"PK\6\6", b"PK\6\7"
_END_SIZE, _LOCATOR_SIZE, _END64_SIZE = 22, 20, 56
_UTF8_NAME, _ENCRYPTED = 0x800, 0x1


class InvalidZip(ValueError):  # noqa: N818
    """The file is not a valid zip; the message says why."""


def read_index_size(file: BinaryIO) -> int:
    """How large the zip's list of files says it is, without reading it.

    Raises:
        InvalidZip: the file does not end like a zip.
    """
    size = file.seek(0, 2)
    tail_start = max(0, size - _END_SIZE - 2**16)
    file.seek(tail_start)
    tail = file.read()
    at = tail.rfind(_END)
    if at < 0 or len(tail) - at < _END_SIZE:
        raise InvalidZip("it does not end like a zip: another file type, or truncated")
    announced = struct.unpack_from("<L", tail, at + 12)[0]
    locator = tail_start + at - _LOCATOR_SIZE
    if locator - _END64_SIZE >= 0:
        file.seek(locator - _END64_SIZE)
        record = file.read(_END64_SIZE + 4)
        if record[:4] == _END64 and record[_END64_SIZE:] == _LOCATOR64:
            announced = max(
                0 if announced == 2**32 - 1 else announced, struct.unpack_from("<Q", record, 40)[0]
            )
    return announced


def open_zip(path: Path, limits: ZipLimits) -> zipfile.ZipFile:
    """The zip, its list of files read; the caller closes it.

    Raises:
        InvalidZip: it is no zip, is damaged, or is larger than allowed.
    """
    size = path.stat().st_size
    if size > limits.zip_bytes:
        raise InvalidZip(f"it has {size:,} bytes, more than the {limits.zip_bytes:,} allowed")
    with path.open("rb") as file:
        listed = read_index_size(file)
    if listed > limits.index_bytes:
        raise InvalidZip(
            f"its list of files alone takes {listed:,} bytes, more than {limits.index_bytes:,}: "
            "far more files than asked for, or a zip bomb"
        )
    try:
        return zipfile.ZipFile(path)
    except UnicodeDecodeError:
        raise InvalidZip("its names are marked as UTF-8, but one is not") from None
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError, EOFError) as error:
        raise InvalidZip(f"it is damaged or truncated ({str(error).lower()})") from None


def files_in(archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    """Return the entries except folders, hidden files and files that operating systems add."""
    return [entry for entry in archive.infolist() if not (_is_folder(entry) or _is_ignored(entry))]


def display_name(entry: zipfile.ZipInfo) -> str:
    """Return an entry's name as one line of printable text."""
    return printable_name(_bytes(entry))[:200]


def normalized_name(entry: zipfile.ZipInfo) -> str:
    """Return a name for finding duplicates: without ./ and //, in Unicode normal form C."""
    parts = [part for part in entry.filename.split("/") if part not in ("", ".")]
    return unicodedata.normalize("NFC", "/".join(parts))


def entry_problem(entry: zipfile.ZipInfo, limits: ZipLimits) -> str | None:
    """Return what is wrong with an entry, by its listing alone; None if nothing."""
    name = entry.orig_filename
    if not entry.flag_bits & _UTF8_NAME and not name.isascii():
        return "its name is neither ASCII nor marked as UTF-8; rename the file"
    parts = re.split(r"[/\\]", name)
    if name[:1] in ("/", "\\") or re.match("[A-Za-z]:", name) or ".." in parts or "\0" in name:
        return "its name points outside the zip"
    if "\\" in name or not name.isprintable():
        return "its name has a backslash (expected / between folders) or an unprintable character"
    if len(name) > MAX_NAME:
        return f"its name has {len(name):,} characters, at most {MAX_NAME} are allowed"
    mode = entry.external_attr >> 16
    if stat.S_ISLNK(mode):
        return "it is a link, expected the file itself"
    if stat.S_IFMT(mode) and not stat.S_ISREG(mode):
        return "it is a device or pipe, expected a file"
    if entry.flag_bits & _ENCRYPTED:
        return "it is encrypted"
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return "its compression is not deflate"
    if entry.file_size > limits.image_bytes:
        return (
            f"it unpacks to {entry.file_size:,} bytes, more than the {limits.image_bytes:,} that "
            "one image may take"
        )
    return None


def _is_folder(entry: zipfile.ZipInfo) -> bool:
    return entry.is_dir() and entry.file_size == 0 and not stat.S_ISLNK(entry.external_attr >> 16)


def _is_ignored(entry: zipfile.ZipInfo) -> bool:
    """Return whether a file is hidden or added by a system; `../x` is neither, but an attack."""
    parts = [part for part in _bytes(entry).split(b"/") if part != b"."]
    return any(map(is_ignored, parts)) and not any(part.startswith(b"..") for part in parts)


def _bytes(entry: zipfile.ZipInfo) -> bytes:
    encoding = "utf-8" if entry.flag_bits & _UTF8_NAME else "cp437"
    return entry.orig_filename.encode(encoding, "surrogateescape")
