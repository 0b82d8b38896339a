"""Durable file writes: complete and on disk when a call returns. No Django."""

from __future__ import annotations

import os
import shutil
import uuid
from pathlib import Path


def put(source: Path, target: Path) -> None:
    """Create `target` as a hard link or copy of `source`, durably and atomically."""
    changed = _create_folders(target.parent)
    part = target.parent / f".{uuid.uuid4().hex}.part"
    try:
        try:
            os.link(source, part)
        except OSError:
            shutil.copyfile(source, part)
        part.chmod(0o600)
        sync(part)
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)
    for folder in (target.parent, *changed):
        sync(folder)


def sync(path: Path) -> None:
    """Wait until a file's content, or a folder's entries, are on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_if_empty(folder: Path) -> bool:
    """Remove a folder if it is empty; return whether it was."""
    try:
        folder.rmdir()
    except OSError:
        return False
    return True


def _create_folders(folder: Path) -> list[Path]:
    """Create a folder and its parents; return the folders that got a new entry."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    return [path.parent for path in missing]
