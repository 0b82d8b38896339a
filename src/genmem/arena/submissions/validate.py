"""Whether a zip holds the images that a competition asks for; no Django here.

Every wrong file is counted and the first ten are named, each with its reason. What can be told
from the zip's list of files (doubles, links, names that lead elsewhere, the count) is told before
any image is unpacked, and no image is unpacked further than its size allows.
"""

from __future__ import annotations

import io
import warnings
import zipfile
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

from PIL import Image

from genmem.arena.submissions.zip_index import (
    NotAZip,
    complaint,
    files_in,
    open_zip,
    plain_name,
    shown,
)
from genmem.arena.submissions.zip_limits import ZipLimits
from genmem.errors import InputError
from genmem.images import decode

NAMED = 10
"""How many wrong files are named."""

_SUFFIXES = {
    "png": (".png",),
    "jpeg": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "webp": (".webp",),
    "bmp": (".bmp",),
}
_READERS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF", "PPM")


@dataclass(frozen=True)
class Validated:
    """The images of a zip that passed, in the zip's order.

    Attributes:
        names: each image's name in the zip.
        digests: each image's content as a BLAKE2b hash of 128 bits, 32 hexadecimal digits.
    """

    names: tuple[str, ...]
    digests: tuple[str, ...]


class Rejected(InputError):  # noqa: N818
    """The zip breaks the rules.

    Attributes:
        message: what is wrong, in a sentence or two, to be shown to the team.
        wrong: the first ten wrong files, each with its reason.
        total: how many files are wrong.
    """

    def __init__(self, message: str, wrong: Sequence[tuple[str, str]] = (), total: int = 0) -> None:
        super().__init__(message)
        self.message, self.wrong, self.total = message, tuple(wrong), total

    @property
    def text(self) -> str:
        """The message, and below it a line for every named file."""
        lines = [self.message, *(f"{name}: {reason}" for name, reason in self.wrong)]
        if self.total > len(self.wrong) > 0:
            lines.append(f"… and {self.total - len(self.wrong):,} more")
        return "\n".join(lines)


class _Wrong:
    """Wrong files, counted; the first ten kept."""

    def __init__(self) -> None:
        self.total = 0
        self.named: list[tuple[str, str]] = []

    def add(self, name: str, reason: str) -> None:
        self.total += 1
        if len(self.named) < NAMED:
            self.named.append((name, reason))


def validate(
    path: Path,
    *,
    count: int,
    width: int,
    height: int,
    formats: Sequence[str],
    limits: ZipLimits,
) -> Validated:
    """Check a zip of images against what is asked for.

    Folders inside it are welcome; hidden files and what operating systems leave behind do not
    count.

    Args:
        path: the zip.
        count: how many images are asked for, exactly.
        width: of each, in pixels.
        height: of each, in pixels.
        formats: any of "png", "jpeg", "webp", "bmp"; told by the content, and the suffix must
            agree with it.
        limits: see `limits_for`.

    Raises:
        Rejected: it is not that; the message, the first ten wrong files and their number say why.
    """
    try:
        archive = open_zip(path, limits)
    except NotAZip as error:
        raise Rejected(f"The file cannot be read as a zip: {error}.") from None
    with archive:
        entries = files_in(archive)
        _check_index(entries, count=count, size=path.stat().st_size, limits=limits)
        wrong = _Wrong()
        digests: list[str] = []
        for entry in entries:
            content = _read(archive, entry, limits)
            reason = (
                content
                if isinstance(content, str)
                else _image_complaint(content, entry.filename, width, height, formats)
            )
            if reason is not None:
                wrong.add(shown(entry), reason)
            elif isinstance(content, bytes):
                digests.append(blake2b(content, digest_size=16).hexdigest())
    if wrong.total:
        raise _rejected(wrong, of=len(entries))
    return Validated(names=tuple(map(plain_name, entries)), digests=tuple(digests))


def _check_index(
    entries: list[zipfile.ZipInfo], *, count: int, size: int, limits: ZipLimits
) -> None:
    wrong, seen = _Wrong(), set[str]()
    for entry in entries:
        name = plain_name(entry)
        reason = complaint(entry, limits)
        if reason is None and name in seen:
            reason = "it is in the zip twice"
        seen.add(name)
        if reason is not None:
            wrong.add(shown(entry), reason)
    found = "" if len(entries) == count else f"Expected {count:,} images, found {len(entries):,}. "
    if wrong.total:
        raise _rejected(wrong, of=len(entries), before=found)
    if found:
        raise Rejected(found.strip())
    if sum(entry.compress_size for entry in entries) > size:
        raise Rejected("The files in the zip overlap: a zip bomb, or damaged. Make the zip again.")


def _rejected(wrong: _Wrong, *, of: int, before: str = "") -> Rejected:
    verb = "is" if wrong.total == 1 else "are"
    message = f"{before}{wrong.total:,} of {of:,} files {verb} wrong."
    return Rejected(message, wrong.named, wrong.total)


def _read(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, limits: ZipLimits) -> bytes | str:
    """The entry's bytes, or what is wrong with it."""
    try:
        with archive.open(entry) as file:
            content = file.read(limits.image_bytes + 1)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, NotImplementedError):
        return "it is damaged in the zip, its checksum or header differs"
    except RuntimeError:
        return "it is encrypted"
    if len(content) != entry.file_size:
        return "it is damaged in the zip, its size differs"
    return content


def _image_complaint(
    content: bytes, name: str, width: int, height: int, formats: Sequence[str]
) -> str | None:
    """What is wrong with an image; None if nothing is."""
    expected = " or ".join(one.upper() for one in formats)
    if not content:
        return f"it is empty, expected {expected}"
    try:
        with warnings.catch_warnings(), Image.open(io.BytesIO(content), formats=_READERS) as image:
            warnings.simplefilter("ignore")
            kind, size = (image.format or "").lower(), image.size
    except Exception:  # Pillow's readers raise almost anything on hostile bytes
        return f"it is no image that can be read, expected {expected}"
    if kind not in formats:
        return f"it is {kind.upper()} inside, expected {expected}"
    if not name.lower().endswith(_SUFFIXES[kind]):
        return f"its name should end in {_SUFFIXES[kind][0]}, since it is {kind.upper()} inside"
    if size != (width, height):
        return f"it has {size[0]:,} × {size[1]:,} pixels, expected {width:,} × {height:,}"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            decode(content, name="")
    except InputError as error:
        return "it is broken: " + str(error).removeprefix(": ").removeprefix("cannot be decoded: ")
    return None
