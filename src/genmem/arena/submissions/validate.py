"""Check that a zip holds the images that a competition asks for. No Django.

All invalid files are counted, and the first ten are named with their reasons. Problems visible in
the zip's list of files (duplicates, links, names outside the zip, the count) are reported before
any image is unpacked, and no image is unpacked beyond its size limit.
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

from genmem.arena.core.heartbeat import beat
from genmem.arena.submissions.zip_index import (
    InvalidZip,
    ZipLimits,
    display_name,
    entry_problem,
    files_in,
    normalized_name,
    open_zip,
)
from genmem.errors import InputError
from genmem.images import decode

NAMED = 10
"""How many invalid files are named."""

_SUFFIXES = {
    "png": (".png",),
    "jpeg": (".jpg", ".jpeg", ".jpe", ".jfif"),
    "webp": (".webp",),
    "bmp": (".bmp",),
}
_READERS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF", "PPM")


@dataclass(frozen=True)
class ValidImages:
    """The images of a valid zip, in the zip's order.

    Attributes:
        names: name of each image in the zip.
        digests: 128-bit BLAKE2b hash of each image file, in 32 hexadecimal digits.
    """

    names: tuple[str, ...]
    digests: tuple[str, ...]


class InvalidImages(InputError):  # noqa: N818
    """The zip is not what the competition asks for.

    Attributes:
        message: what is wrong, in one or two sentences for the team.
        problems: the first ten invalid files, each with its reason.
        total: number of invalid files.
    """

    def __init__(
        self, message: str, problems: Sequence[tuple[str, str]] = (), total: int = 0
    ) -> None:
        super().__init__(message)
        self.message, self.problems, self.total = message, tuple(problems), total

    @property
    def text(self) -> str:
        """The message, followed by a line for each named file."""
        lines = [self.message, *(f"{name}: {reason}" for name, reason in self.problems)]
        if self.total > len(self.problems) > 0:
            lines.append(f"… and {self.total - len(self.problems):,} more")
        return "\n".join(lines)


class _Problems:
    """Counts invalid files and keeps the first ten."""

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
) -> ValidImages:
    """Check a zip of images against what a competition asks for.

    The zip may contain folders; hidden files and files that operating systems add are ignored.

    Args:
        path: the zip.
        count: exact number of images.
        width: of each image, in pixels.
        height: of each image, in pixels.
        formats: any of "png", "jpeg", "webp", "bmp"; the content decides, and the suffix must
            agree with it.
        limits: see `limits_for`.

    Raises:
        Rejected: it is not that; the message, the first ten wrong files and their number say why.
    """
    try:
        archive = open_zip(path, limits)
    except InvalidZip as error:
        raise InvalidImages(f"The file cannot be read as a zip: {error}.") from None
    with archive:
        entries = files_in(archive)
        _check_index(entries, count=count, size=path.stat().st_size, limits=limits)
        problems = _Problems()
        digests: list[str] = []
        for entry in entries:
            beat()
            content = _read(archive, entry, limits)
            reason = (
                content
                if isinstance(content, str)
                else _image_problem(content, entry.filename, width, height, formats)
            )
            if reason is not None:
                problems.add(display_name(entry), reason)
            elif isinstance(content, bytes):
                digests.append(blake2b(content, digest_size=16).hexdigest())
    if problems.total:
        raise _invalid(problems, of=len(entries))
    return ValidImages(names=tuple(map(normalized_name, entries)), digests=tuple(digests))


def _check_index(
    entries: list[zipfile.ZipInfo], *, count: int, size: int, limits: ZipLimits
) -> None:
    problems, seen = _Problems(), set[str]()
    for entry in entries:
        name = normalized_name(entry)
        reason = entry_problem(entry, limits)
        if reason is None and name in seen:
            reason = "it is in the zip twice"
        seen.add(name)
        if reason is not None:
            problems.add(display_name(entry), reason)
    miscount = (
        "" if len(entries) == count else f"Expected {count:,} images, found {len(entries):,}. "
    )
    if problems.total:
        raise _invalid(problems, of=len(entries), before=miscount)
    if miscount:
        raise InvalidImages(miscount.strip())
    if sum(entry.compress_size for entry in entries) > size:
        raise InvalidImages("The files in the zip overlap: a zip bomb, or damaged. Zip them again.")


def _invalid(problems: _Problems, *, of: int, before: str = "") -> InvalidImages:
    verb = "is" if problems.total == 1 else "are"
    message = f"{before}{problems.total:,} of {of:,} files {verb} invalid."
    return InvalidImages(message, problems.named, problems.total)


def _read(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, limits: ZipLimits) -> bytes | str:
    """Return the entry's bytes, or what is wrong with it."""
    try:
        with archive.open(entry) as file:
            content = file.read(limits.image_bytes + 1)
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, NotImplementedError):
        return "it is damaged in the zip: its checksum or header differs"
    except RuntimeError:
        return "it is encrypted"
    if len(content) != entry.file_size:
        return "it is damaged in the zip: its size differs"
    return content


def _image_problem(
    content: bytes, name: str, width: int, height: int, formats: Sequence[str]
) -> str | None:
    """Return what is wrong with an image; None if nothing."""
    expected = " or ".join(name.upper() for name in formats)
    if not content:
        return f"it is empty, expected {expected}"
    try:
        with warnings.catch_warnings(), Image.open(io.BytesIO(content), formats=_READERS) as image:
            warnings.simplefilter("ignore")
            kind, size = (image.format or "").lower(), image.size
    except Exception:  # Pillow's readers raise almost anything on hostile bytes
        return f"it is not a readable image, expected {expected}"
    if kind not in formats:
        return f"its content is {kind.upper()}, expected {expected}"
    if not name.lower().endswith(_SUFFIXES[kind]):
        return f"its content is {kind.upper()}, so its name must end in {_SUFFIXES[kind][0]}"
    if size != (width, height):
        return f"it has {size[0]:,} × {size[1]:,} pixels, expected {width:,} × {height:,}"
    try:
        decode(content, name="")
    except InputError as error:
        return "it is broken: " + str(error).removeprefix(": ").removeprefix("cannot be decoded: ")
    return None
