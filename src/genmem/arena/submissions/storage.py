"""The folder that uploads, features and logs are kept in."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from django.conf import settings


def stored(name: str) -> Path:
    """The path of a file below the storage folder.

    Raises:
        ValueError: the name leads elsewhere.
    """
    root = settings.ARENA.storage_folder.resolve()
    path = (root / name).resolve()
    if root not in path.parents:
        raise ValueError(f"{name!r} is not below the storage folder")
    return path


def keep(source: Path, name: str) -> Path:
    """Put a file below the storage folder as `name`, on disk when this returns.

    The source stays: it is linked where that can be done, copied elsewhere.
    """
    target = stored(name)
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
    target.chmod(0o600)
    for path in (target, target.parent):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    return target
