"""A zip of code: unpacked with care, its command read, what it made packed as a zip of images.

The zip holds `main.py`, or a `submission.toml` beside what it names:

    command = ["python3", "make_images.py", "--fast"]
    image = "registry/name:tag"      # only where the organiser's machines have a container engine

The program finds the public training images below /inputs and leaves its images in /output.
"""

from __future__ import annotations

import shutil
import tomllib
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from genmem.arena.scoring.steps import Refusal
from genmem.arena.submissions.zip_index import (
    NotAZip,
    complaint,
    files_in,
    open_zip,
    plain_name,
    shown,
)
from genmem.arena.submissions.zip_limits import ZipLimits

MANIFEST = "submission.toml"
MAIN = "main.py"
MOST_FILES = 10_000
MOST_BYTES = 4 * 2**30
"""Of one unpacked zip of code."""

_PIECE = 2**20


@dataclass(frozen=True)
class Command:
    """What is run: the words, and a container image where one is named."""

    words: tuple[str, ...]
    image: str | None = None


def unpack(path: Path, folder: Path, *, zip_bytes: int) -> None:
    """Unpack a zip of code to `folder`, which appears when all of it is there.

    Args:
        path: the zip.
        folder: where to; what is there already stays.
        zip_bytes: the largest zip that is taken.

    Raises:
        Refusal: the zip is damaged, holds what it must not, or is a bomb.
    """
    if folder.exists():
        return
    partial = folder.with_name(f"{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    limits = ZipLimits(
        zip_bytes=zip_bytes, image_bytes=MOST_BYTES, index_bytes=2**20 + 1024 * MOST_FILES
    )
    try:
        archive = open_zip(path, limits)
    except NotAZip as error:
        raise Refusal(f"The file cannot be read as a zip: {error}.") from None
    with archive:
        entries = files_in(archive)
        _check(entries, limits)
        left = MOST_BYTES
        for entry in entries:
            left -= _unpack(archive, entry, partial / PurePosixPath(plain_name(entry)), left)
    for place in (partial, *partial.rglob("*")):
        place.chmod(0o755 if place.is_dir() or place.stat().st_mode & 0o100 else 0o644)
    partial.rename(folder)


def command_in(folder: Path) -> Command:
    """What an unpacked zip wants to be run.

    Raises:
        Refusal: it does not say so, or not in a way that is understood.
    """
    manifest = folder / MANIFEST
    if not manifest.is_file():
        if (folder / MAIN).is_file():
            return Command(("python3", MAIN))
        raise Refusal(f"Expected {MAIN} or {MANIFEST} at the top of the zip, found neither.")
    try:
        given = tomllib.loads(manifest.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise Refusal(f"{MANIFEST}: expected TOML, got: {error}.") from None
    unknown = sorted(set(given) - {"command", "image"})
    if unknown:
        raise Refusal(f"{MANIFEST}: there is no {unknown[0]!r}; known are command and image.")
    words, image = given.get("command", ["python3", MAIN]), given.get("image")
    if not isinstance(words, list) or not words or not all(_is_word(word) for word in words):
        raise Refusal(
            f'{MANIFEST}: command: expected a list of words such as ["python3", "{MAIN}"], got '
            f"{words!r}."
        )
    if image is not None and not _is_word(image):
        raise Refusal(f"{MANIFEST}: image: expected a name, got {image!r}.")
    return Command(tuple(words), image)


def pack(folder: Path, path: Path) -> int:
    """Put the files below a folder into a zip, in order of their paths; how many those are."""
    files = sorted(one for one in folder.rglob("*") if one.is_file())
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for one in files:
            # A date of its own would make the same images another zip each time.
            entry = zipfile.ZipInfo(one.relative_to(folder).as_posix())
            entry.external_attr = 0o644 << 16
            with one.open("rb") as source, archive.open(entry, "w", force_zip64=True) as target:
                shutil.copyfileobj(source, target, _PIECE)
    return len(files)


def _check(entries: list[zipfile.ZipInfo], limits: ZipLimits) -> None:
    if len(entries) > MOST_FILES:
        raise Refusal(f"The zip holds {len(entries):,} files; the most is {MOST_FILES:,}.")
    if sum(entry.file_size for entry in entries) > MOST_BYTES:
        raise Refusal("The zip unpacks to more than 4 GiB.")
    seen = set[str]()
    for entry in entries:
        reason = complaint(entry, limits)
        name = plain_name(entry)
        if reason is None and name in seen:
            reason = "it is in the zip twice"
        seen.add(name)
        if reason is not None:
            raise Refusal(f"{shown(entry)}: {reason}.")


def _unpack(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, target: Path, left: int) -> int:
    written = 0
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with archive.open(entry) as source, target.open("xb") as file:
            while piece := source.read(_PIECE):
                written += len(piece)
                if written > left:
                    raise Refusal("The zip unpacks to more than it says: a zip bomb.")
                file.write(piece)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError):
        raise Refusal(f"{shown(entry)}: it is damaged in the zip, or encrypted.") from None
    except (FileExistsError, NotADirectoryError, IsADirectoryError):
        raise Refusal(f"{shown(entry)}: it is a file and a folder at once.") from None
    if (entry.external_attr >> 16) & 0o100:
        target.chmod(0o755)
    return written


def _is_word(word: object) -> bool:
    return isinstance(word, str) and bool(word.strip()) and word.isprintable()
