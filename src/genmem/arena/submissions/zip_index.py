"""The list of files in a zip: what can be refused before a single image is unpacked."""

from __future__ import annotations

import re
import stat
import struct
import unicodedata
import zipfile
from pathlib import Path
from typing import BinaryIO

from genmem.arena.submissions.zip_limits import ZipLimits
from genmem.images.filenames import is_ignored, printable_name

_END, _END64, _LOCATOR64 = b"PK\5\6", b"PK\6\6", b"PK\6\7"
_END_SIZE, _LOCATOR_SIZE, _END64_SIZE = 22, 20, 56
_UTF8_NAME, _ENCRYPTED = 0x800, 0x1


class NotAZip(ValueError):  # noqa: N818
    """The file is no zip that could be scored; the message says why."""


def index_bytes(file: BinaryIO) -> int:
    """How large the zip's list of files says it is, without reading it.

    Raises:
        NotAZip: there is no end of a zip in the file.
    """
    size = file.seek(0, 2)
    tail_start = max(0, size - _END_SIZE - 2**16)
    file.seek(tail_start)
    tail = file.read()
    at = tail.rfind(_END)
    if at < 0 or len(tail) - at < _END_SIZE:
        raise NotAZip("it does not end as a zip does: another kind of file, or cut short")
    found = struct.unpack_from("<L", tail, at + 12)[0]
    locator = tail_start + at - _LOCATOR_SIZE
    if locator - _END64_SIZE >= 0:
        file.seek(locator - _END64_SIZE)
        record = file.read(_END64_SIZE + 4)
        if record[:4] == _END64 and record[_END64_SIZE:] == _LOCATOR64:
            found = max(0 if found == 2**32 - 1 else found, struct.unpack_from("<Q", record, 40)[0])
    return found


def open_zip(path: Path, limits: ZipLimits) -> zipfile.ZipFile:
    """The zip, its list of files read; the caller closes it.

    Raises:
        NotAZip: it is none, is damaged, or is larger than allowed.
    """
    size = path.stat().st_size
    if size > limits.zip_bytes:
        raise NotAZip(f"it has {size:,} bytes, more than the {limits.zip_bytes:,} allowed")
    with path.open("rb") as file:
        listed = index_bytes(file)
    if listed > limits.index_bytes:
        raise NotAZip(
            f"its list of files alone takes {listed:,} bytes, more than {limits.index_bytes:,}: "
            "far more files than asked for, or a zip bomb"
        )
    try:
        return zipfile.ZipFile(path)
    except UnicodeDecodeError:
        raise NotAZip("it says that its names are UTF-8, and one is not") from None
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError, EOFError) as error:
        raise NotAZip(f"it is damaged or cut short ({str(error).lower()})") from None


def files_in(archive: zipfile.ZipFile) -> list[zipfile.ZipInfo]:
    """The entries that count: no folders, nothing that an operating system left behind."""
    return [entry for entry in archive.infolist() if not (_is_folder(entry) or _is_litter(entry))]


def shown(entry: zipfile.ZipInfo) -> str:
    """An entry's name as one line of printable text."""
    return printable_name(_bytes(entry))[:200]


def plain_name(entry: zipfile.ZipInfo) -> str:
    """The name that doubles are found by: without ./ and //, and é in one spelling."""
    parts = [part for part in entry.filename.split("/") if part not in ("", ".")]
    return unicodedata.normalize("NFC", "/".join(parts))


def complaint(entry: zipfile.ZipInfo, limits: ZipLimits) -> str | None:
    """What is wrong with an entry by its listing alone; None if nothing is."""
    name = entry.orig_filename
    if not entry.flag_bits & _UTF8_NAME and not name.isascii():
        return "its name is in another encoding; name files in plain letters, or in UTF-8"
    parts = re.split(r"[/\\]", name)
    if name[:1] in ("/", "\\") or re.match("[A-Za-z]:", name) or ".." in parts or "\0" in name:
        return "its name points outside the zip"
    if "\\" in name or not name.isprintable():
        return "its name has a backslash or an unprintable character"
    mode = entry.external_attr >> 16
    if stat.S_ISLNK(mode):
        return "it is a link, expected the file itself"
    if stat.S_IFMT(mode) and not stat.S_ISREG(mode):
        return "it is a device or pipe, expected a file"
    if entry.flag_bits & _ENCRYPTED:
        return "it is encrypted"
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        return "it is compressed otherwise than by deflate"
    if entry.file_size > limits.image_bytes:
        return (
            f"it unpacks to {entry.file_size:,} bytes, more than the {limits.image_bytes:,} that "
            "one image may take"
        )
    return None


def _is_folder(entry: zipfile.ZipInfo) -> bool:
    return entry.is_dir() and entry.file_size == 0 and not stat.S_ISLNK(entry.external_attr >> 16)


def _is_litter(entry: zipfile.ZipInfo) -> bool:
    """Hidden or left behind by a system; a name that leads elsewhere (`../x`) is no litter."""
    parts = [part for part in _bytes(entry).split(b"/") if part != b"."]
    return any(map(is_ignored, parts)) and not any(part.startswith(b"..") for part in parts)


def _bytes(entry: zipfile.ZipInfo) -> bytes:
    encoding = "utf-8" if entry.flag_bits & _UTF8_NAME else "cp437"
    return entry.orig_filename.encode(encoding, "surrogateescape")
