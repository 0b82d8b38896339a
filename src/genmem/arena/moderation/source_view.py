"""The files of submitted code, as text to be read."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass

from genmem.arena.submissions import storage
from genmem.arena.submissions.models import Submission
from genmem.arena.submissions.zip_index import files_in, shown

_FILES = 100
_FILE_BYTES = 200_000
_ALL_BYTES = 1_000_000
_LOG_BYTES = 200_000


@dataclass(frozen=True)
class CodeFile:
    """One file of a zip of code; `text` is None where it is no text, or larger than is shown."""

    name: str
    size: int
    text: str | None


def code_of(submission: Submission) -> Sequence[CodeFile]:
    """The files that a team sent in as code, smallest depth first; none for images."""
    if submission.kind != "code":
        return []
    found: list[CodeFile] = []
    left = _ALL_BYTES
    try:
        with storage.local(submission.file) as path, zipfile.ZipFile(path) as archive:
            for entry in files_in(archive)[:_FILES]:
                text = None
                if entry.file_size <= min(_FILE_BYTES, left):
                    text = _text(archive, entry)
                    left -= entry.file_size
                found.append(CodeFile(shown(entry), entry.file_size, text))
    except (OSError, zipfile.BadZipFile):
        return []
    return sorted(found, key=lambda one: (one.name.count("/"), one.name))


def log_of(submission: Submission) -> str:
    """What the code wrote while it ran: the end of it, where it is long."""
    try:
        with storage.open_read(f"logs/{submission.pk}.log") as file:
            content = file.read()
    except OSError:
        return ""
    text = content[-_LOG_BYTES:].decode(errors="replace")
    return f"… the last {_LOG_BYTES:,} bytes\n{text}" if len(content) > _LOG_BYTES else text


def _text(archive: zipfile.ZipFile, entry: zipfile.ZipInfo) -> str | None:
    try:
        with archive.open(entry) as file:
            content = file.read(_FILE_BYTES)
        text = content.decode()
    except (OSError, zipfile.BadZipFile, RuntimeError, UnicodeDecodeError, EOFError):
        return None
    return None if "\0" in text else text
