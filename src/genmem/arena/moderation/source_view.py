"""The files of submitted code and the log of its run, as text."""

from __future__ import annotations

import zipfile
from collections.abc import Sequence
from dataclasses import dataclass

from genmem.arena.submissions import storage
from genmem.arena.submissions.models import Submission
from genmem.arena.submissions.zip_index import display_name, files_in

_MAX_FILES = 100
_MAX_FILE_BYTES = 200_000
_MAX_BYTES = 1_000_000
_MAX_LOG_BYTES = 200_000


@dataclass(frozen=True)
class SourceFile:
    """One file of a zip of code; `text` is None where it is not text or too large."""

    name: str
    size: int
    text: str | None


def source_files(submission: Submission) -> Sequence[SourceFile]:
    """The files of submitted code, those in the fewest folders first; none for images."""
    if submission.kind != "code":
        return []
    files: list[SourceFile] = []
    bytes_left = _MAX_BYTES
    try:
        with storage.local(submission.file) as path, zipfile.ZipFile(path) as archive:
            for member in files_in(archive)[:_MAX_FILES]:
                text = None
                if member.file_size <= min(_MAX_FILE_BYTES, bytes_left):
                    text = _text(archive, member)
                    bytes_left -= member.file_size
                files.append(SourceFile(display_name(member), member.file_size, text))
    except (OSError, zipfile.BadZipFile):
        return []
    return sorted(files, key=lambda file: (file.name.count("/"), file.name))


def run_log(submission: Submission) -> str:
    """What the code printed while it ran; of a long log, the end."""
    try:
        with storage.open_read(f"logs/{submission.pk}.log") as file:
            content = file.read()
    except OSError:
        return ""
    text = content[-_MAX_LOG_BYTES:].decode(errors="replace")
    if len(content) > _MAX_LOG_BYTES:
        return f"… the last {_MAX_LOG_BYTES:,} bytes\n{text}"
    return text


def _text(archive: zipfile.ZipFile, member: zipfile.ZipInfo) -> str | None:
    try:
        with archive.open(member) as file:
            text = file.read(_MAX_FILE_BYTES).decode()
    except (OSError, zipfile.BadZipFile, RuntimeError, UnicodeDecodeError, EOFError):
        return None
    return None if "\0" in text else text
