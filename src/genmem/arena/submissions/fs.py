"""Files that are on disk, whole, once a call returns; no Django."""

from __future__ import annotations

import os
import shutil
import uuid
from pathlib import Path


def put(source: Path, target: Path) -> None:
    """Make `target` a link to or a copy of `source`, on disk, in one step that cannot be cut."""
    made = _make_folders(target.parent)
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
    for folder in (target.parent, *made):
        sync(folder)


def sync(path: Path) -> None:
    """Wait until a file's content, or a folder's list of names, is on disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_if_empty(folder: Path) -> bool:
    """Remove a folder that holds nothing; whether it was so."""
    try:
        folder.rmdir()
    except OSError:
        return False
    return True


def _make_folders(folder: Path) -> list[Path]:
    """Make a folder and those above it; those whose lists of names changed."""
    missing = [one for one in (folder, *folder.parents) if not one.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    return [one.parent for one in missing]
