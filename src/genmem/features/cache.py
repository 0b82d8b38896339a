"""The cache folder: where it is, the keys and locks in it, and single arrays."""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import platformdirs
from filelock import FileLock, Timeout
from numpy.typing import NDArray

from genmem.errors import UsageError, os_reason
from genmem.images import Progress
from genmem.io.atomic import atomic_write
from genmem.io.paths import expand_home, to_path

_MAKE_ROOM = "Make room there, or set $GENMEM_CACHE to another folder."
_ADVICE = {
    errno.ENOSPC: _MAKE_ROOM,
    errno.EDQUOT: _MAKE_ROOM,
    errno.ENOENT: "It was removed while it was in use; run the command again.",
}
"""What helps, by what the operating system says."""


def default_cache() -> Path:
    """The cache folder: $GENMEM_CACHE, else `genmem` in the platform's folder for caches.

    Raises:
        UsageError: $GENMEM_CACHE is not set, and this process has no home directory.
    """
    setting = os.environ.get("GENMEM_CACHE")
    if setting:
        return expand_home(setting)
    try:
        return platformdirs.user_cache_path("genmem", appauthor=False, opinion=False)
    except RuntimeError as error:
        raise UsageError(
            "there is no home directory for the cache. Set $GENMEM_CACHE to a folder."
        ) from error


def cache_folder(cache: str | Path) -> Path:
    """The folder of a `cache` argument; "default" is `default_cache`.

    Raises:
        UsageError: an empty text.
    """
    return default_cache() if cache == "default" else to_path(cache, name="cache")


def entry_key(*parts: str) -> str:
    """A cache key: a hash over every text that decides the cached bytes."""
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:40]


@contextmanager
def locked(folder: Path, key: str, progress: Progress | None) -> Iterator[None]:
    """Hold the lock of one key; wait while another process holds it.

    Args:
        folder: the folder of the lock file.
        key: the lock's name.
        progress: told while another process holds the lock.

    Raises:
        UsageError: the cache folder cannot be written.
    """
    with cache_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / f"{key}.lock")
        while True:
            try:
                lock.acquire(timeout=1.0)
                break
            except Timeout:
                if progress is not None:
                    progress("waiting for another process that computes the same", 0, None)
    try:
        yield
    finally:
        lock.release()


def cached_array(
    folder: Path, key: str, compute: Callable[[], NDArray[Any]], progress: Progress | None = None
) -> NDArray[Any]:
    """One array of the cache, computed by the first process that needs it.

    Args:
        folder: the folder of the cache that holds such arrays.
        key: from `entry_key`.
        compute: gives the array.
        progress: told while another process computes the same array.

    Returns:
        The array mapped copy-on-write: pages are shared until somebody writes to them.

    Raises:
        UsageError: the cache folder cannot be written.
    """
    file = folder / f"{key}.npy"
    if not file.is_file():
        with locked(folder, key, progress):
            if not file.is_file():
                array = compute()
                with atomic_write(file) as opened:
                    np.save(opened, array, allow_pickle=False)
    with cache_errors(folder):
        return np.load(file, mmap_mode="c", allow_pickle=False)


@contextmanager
def cache_errors(folder: Path) -> Iterator[None]:
    """Turn errors of the operating system into one that names the cache folder."""
    try:
        yield
    except OSError as error:
        advice = _ADVICE.get(error.errno or 0, "Set $GENMEM_CACHE to another folder.")
        raise UsageError(
            f"cannot write the cache folder {folder} ({os_reason(error)}). {advice}"
        ) from error
