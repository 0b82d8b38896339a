"""Zips of code: unpacking them safely, reading their command, packing the images they make.

The zip holds `main.py`, or a `submission.toml` beside the files it names:

    command = ["python3", "make_images.py", "--fast"]
    image = "registry/name:tag"      # only if the organizer's machines have a container engine

The program finds the public training images in /inputs and leaves its images in /output.
"""

from __future__ import annotations

import shutil
import tomllib
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from genmem.arena.core.heartbeat import beat
from genmem.arena.scoring.errors import SubmissionError
from genmem.arena.submissions.zip_index import (
    InvalidZip,
    ZipLimits,
    display_name,
    entry_problem,
    files_in,
    normalized_name,
    open_zip,
)

MANIFEST = "submission.toml"
MAIN = "main.py"
MAX_FILES = 10_000
MAX_BYTES = 4 * 2**30
"""Limits of one unpacked zip of code."""

MAX_MANIFEST_BYTES = 2**16
"""Largest `submission.toml`, which is parsed in memory."""

_CHUNK = 2**20


@dataclass(frozen=True)
class Command:
    """The command to run.

    Attributes:
        arguments: the program and its arguments.
        image: container image to run it in; None for bubblewrap.
    """

    arguments: tuple[str, ...]
    image: str | None = None


def unpack(path: Path, folder: Path, *, zip_bytes: int) -> None:
    """Unpack a zip of code to `folder`, which appears once it is complete.

    Args:
        path: the zip.
        folder: the folder to create; nothing happens if it exists.
        zip_bytes: size limit of the zip.

    Raises:
        SubmissionError: the zip is damaged, has invalid entries, or is a zip bomb.
    """
    if folder.exists():
        return
    partial = folder.with_name(f"{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    limits = ZipLimits(
        zip_bytes=zip_bytes, image_bytes=MAX_BYTES, index_bytes=2**20 + 1024 * MAX_FILES
    )
    try:
        archive = open_zip(path, limits)
    except InvalidZip as error:
        raise SubmissionError(f"The file cannot be read as a zip: {error}.") from None
    with archive:
        entries = files_in(archive)
        _check(entries, limits)
        remaining = MAX_BYTES
        for entry in entries:
            beat()
            target = partial / PurePosixPath(normalized_name(entry))
            remaining -= _unpack_entry(archive, entry, target, remaining)
    for file in (partial, *partial.rglob("*")):
        file.chmod(0o755 if file.is_dir() or file.stat().st_mode & 0o100 else 0o644)
    partial.rename(folder)


def read_command(folder: Path) -> Command:
    """The command of an unpacked zip.

    Raises:
        SubmissionError: there is none, or it is invalid.
    """
    manifest = folder / MANIFEST
    if not manifest.is_file():
        if (folder / MAIN).is_file():
            return Command(("python3", MAIN))
        raise SubmissionError(
            f"Expected {MAIN} or {MANIFEST} at the top of the zip, found neither."
        )
    if manifest.stat().st_size > MAX_MANIFEST_BYTES:
        raise SubmissionError(f"{MANIFEST}: expected at most {MAX_MANIFEST_BYTES:,} bytes.")
    try:
        fields = tomllib.loads(manifest.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise SubmissionError(f"{MANIFEST}: expected TOML, got: {str(error)[:200]}.") from None
    unknown = sorted(set(fields) - {"command", "image"})
    if unknown:
        raise SubmissionError(
            f"{MANIFEST}: unknown key {unknown[0][:200]!r}; valid keys are command and image."
        )
    command, image = fields.get("command", ["python3", MAIN]), fields.get("image")
    if not isinstance(command, list) or not command or not all(map(_is_word, command)):
        raise SubmissionError(
            f'{MANIFEST}: command: expected a list of words such as ["python3", "{MAIN}"], got '
            f"{repr(command)[:200]}."
        )
    if image is not None and not _is_word(image):
        raise SubmissionError(f"{MANIFEST}: image: expected a name, got {repr(image)[:200]}.")
    return Command(tuple(command), image)


def pack(folder: Path, path: Path) -> int:
    """Zip the files below a folder, in order of their paths; returns their number."""
    files = sorted(file for file in folder.rglob("*") if file.is_file())
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED) as archive:
        for file in files:
            beat()
            # Without the files' dates the same images always give the same zip.
            entry = zipfile.ZipInfo(file.relative_to(folder).as_posix())
            entry.external_attr = 0o644 << 16
            with file.open("rb") as source, archive.open(entry, "w", force_zip64=True) as target:
                shutil.copyfileobj(source, target, _CHUNK)
    return len(files)


def _check(entries: list[zipfile.ZipInfo], limits: ZipLimits) -> None:
    if len(entries) > MAX_FILES:
        raise SubmissionError(
            f"The zip holds {len(entries):,} files; at most {MAX_FILES:,} are allowed."
        )
    if sum(entry.file_size for entry in entries) > MAX_BYTES:
        raise SubmissionError("The zip unpacks to more than 4 GiB.")
    seen = set[str]()
    for entry in entries:
        reason = entry_problem(entry, limits)
        name = normalized_name(entry)
        if reason is None and name in seen:
            reason = "it is in the zip twice"
        seen.add(name)
        if reason is not None:
            raise SubmissionError(f"{display_name(entry)}: {reason}.")


def _unpack_entry(
    archive: zipfile.ZipFile, entry: zipfile.ZipInfo, target: Path, limit: int
) -> int:
    """Unpack one entry of at most `limit` bytes; returns its size in bytes."""
    written = 0
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with archive.open(entry) as source, target.open("xb") as file:
            while chunk := source.read(_CHUNK):
                written += len(chunk)
                if written > limit:
                    raise SubmissionError(
                        "The zip is a zip bomb: it unpacks to more than it declares."
                    )
                file.write(chunk)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError):
        raise SubmissionError(
            f"{display_name(entry)}: it is damaged in the zip, or encrypted."
        ) from None
    except (FileExistsError, NotADirectoryError, IsADirectoryError):
        raise SubmissionError(
            f"{display_name(entry)}: it is a file and a folder at once."
        ) from None
    if (entry.external_attr >> 16) & 0o100:
        target.chmod(0o755)
    return written


def _is_word(word: object) -> bool:
    return isinstance(word, str) and bool(word.strip()) and word.isprintable()
