"""Paths: never empty texts, which would mean the current directory; `~`; temporary files."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from genmem.errors import UsageError, os_reason


def expand_home(path: str | Path) -> Path:
    """The path with a leading `~` expanded, or unchanged if the home directory is unknown.

    `Path.expanduser` fails where $HOME is unset and the user id has no account, as in containers.
    """
    return Path(os.path.expanduser(path))  # noqa: PTH111


@contextmanager
def temporary_file_errors() -> Iterator[None]:
    """Turn errors of the operating system into one that names the folder of temporary files.

    Raises:
        UsageError: a temporary file cannot be written; the message says where and why.
    """
    try:
        yield
    except OSError as error:
        try:
            folder = tempfile.gettempdir()
        except OSError:
            folder = "any of the system's folders for them"
        raise UsageError(
            f"cannot write temporary files in {folder} ({os_reason(error)}). Make room there, or "
            "set $TMPDIR to another folder."
        ) from error


def refuse_empty(value: object, *, name: str) -> None:
    """Raise UsageError for a text that is empty or blank; anything else passes.

    Args:
        value: of an argument, an option or a setting that is a path or may be one.
        name: of the argument, for the message.
    """
    if isinstance(value, str) and not value.strip():
        raise UsageError(f"{name}: expected a value, got an empty text.")


def to_path(value: str | Path, *, name: str) -> Path:
    """The path that a text names.

    Args:
        value: the text or path.
        name: of the argument, for the message.

    Raises:
        UsageError: the text is empty.
    """
    refuse_empty(value, name=name)
    return Path(value)
