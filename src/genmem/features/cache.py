"""Where genmem keeps what it computed, and how a feature set is kept there.

An entry is a folder named by its key:

    features/<key>/features.npy   float32 [n, d]
    features/<key>/logits.npy     float32 [n, c], for backbones that give them
    features/<key>/entry.json     rows, checksums, images left out, the engine

While it is being made it is `features/<key>.partial/`: rows are appended, and every few seconds
`entry.json` says how many are safely on disk, so that an interrupted run goes on from there. The
finished folder is renamed in one step. A lock file per key lets one process work at a time; the
others wait and then find the entry. The lock is the operating system's, so it does not outlive the
process. Checksums are verified whenever an entry or a partial one is opened.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from filelock import FileLock, Timeout
from numpy.typing import NDArray

from genmem.errors import UsageError
from genmem.features._rows import RowFile, rows_are_intact
from genmem.images import Progress
from genmem.io.atomic import atomic_write

FLUSH_SECONDS = 5.0
"""At most this much work is lost when a run is cut off."""


def default_cache() -> Path:
    """The cache folder: $GENMEM_CACHE, else `genmem` in the platform's folder for caches."""
    setting = os.environ.get("GENMEM_CACHE")
    if setting:
        return Path(setting).expanduser()
    if sys.platform == "darwin":
        return Path("~/Library/Caches/genmem").expanduser()
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or "~/AppData/Local").expanduser() / "genmem"
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "genmem"


def entry_key(*parts: str) -> str:
    """The key of an entry: a hash over everything that decides its bytes."""
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:40]


@dataclass(frozen=True, kw_only=True)
class EntryState:
    """What `entry.json` says of an entry, finished or not.

    Attributes:
        next_position: the first position of the source that is not done.
        rows: rows on disk.
        width: features per row.
        checksum: BLAKE2b of the rows' bytes.
        logit_width, logit_checksum: the same for logits; None without.
        shape: of one preprocessed image, the same for all rows.
        broken: position and reason of each image left out, without its name or place, which are
            not the same for everyone who has these images.
        engine: what computed the rows.
    """

    next_position: int
    rows: int
    width: int
    checksum: str
    logit_width: int | None
    logit_checksum: str | None
    shape: tuple[int, ...]
    broken: tuple[tuple[int, str], ...]
    engine: str


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A feature set: rows, memory-mapped when they come from the cache, and how it came about."""

    features: NDArray[np.float32]
    logits: NDArray[np.float32] | None
    state: EntryState


class EntryWriter:
    """Collects the rows of an entry in its partial folder, going on where an earlier run stopped.

    Attributes:
        state: what is safely on disk; None before the first rows.
    """

    def __init__(self, folder: Path, count: int) -> None:
        self.folder = folder
        self.count = count
        self.features: RowFile | None = None
        self.logits: RowFile | None = None
        self.flushed = time.monotonic()
        self.state = self._resume()
        if self.state is None:
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)

    def _resume(self) -> EntryState | None:
        """Open what an interrupted run left, if all of it is as that run wrote it."""
        state = _read_state(self.folder)
        if state is None or state.next_position > self.count:
            return None
        self.features = RowFile.reopen(
            self.folder / "features.npy", state.width, state.rows, state.checksum
        )
        if self.features is None:
            return None
        if state.logit_width is not None:
            self.logits = RowFile.reopen(
                self.folder / "logits.npy", state.logit_width, state.rows, state.logit_checksum
            )
            if self.logits is None:
                self.features.close()
                self.features = None
                return None
        return state

    def append(
        self,
        features: NDArray[np.float32],
        logits: NDArray[np.float32] | None,
        *,
        next_position: int,
        shape: tuple[int, ...],
        broken: tuple[tuple[int, str], ...],
        engine: str,
    ) -> None:
        """Add rows; `broken` are all images left out so far. Flushed every few seconds."""
        if self.features is None:
            self.features = RowFile(self.folder / "features.npy", features.shape[1])
            if logits is not None:
                self.logits = RowFile(self.folder / "logits.npy", logits.shape[1])
        self.features.append(features)
        if self.logits is not None and logits is not None:
            self.logits.append(logits)
        self.state = EntryState(
            next_position=next_position,
            rows=self.features.rows,
            width=self.features.width,
            checksum=self.features.checksum.hexdigest(),
            logit_width=self.logits.width if self.logits else None,
            logit_checksum=self.logits.checksum.hexdigest() if self.logits else None,
            shape=shape,
            broken=broken,
            engine=engine,
        )
        if time.monotonic() - self.flushed > FLUSH_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Put the rows on disk, then the note that says so."""
        if self.state is None or self.features is None:
            return
        for file in (self.features, self.logits):
            if file is not None:
                file.flush()
        fresh = self.folder / "entry.json.new"
        with fresh.open("w") as note:
            json.dump(asdict(self.state), note)
            note.flush()
            os.fsync(note.fileno())
        fresh.replace(self.folder / "entry.json")
        self.flushed = time.monotonic()

    def close(self) -> None:
        """Keep what is there for a later run; nothing if it is closed or committed already."""
        files = [file for file in (self.features, self.logits) if file is not None]
        try:
            self.flush()
        finally:
            self.features = self.logits = None
            for file in files:
                file.close()

    def commit(self, target: Path) -> None:
        """Finish the files and make them the entry `target`, in one step."""
        for file in (self.features, self.logits):
            if file is not None:
                file.write_row_count()
        self.close()
        shutil.rmtree(target, ignore_errors=True)
        self.folder.rename(target)


def _read_state(folder: Path) -> EntryState | None:
    """The state in a folder's `entry.json`; None if there is none or it is not one."""
    try:
        raw = json.loads((folder / "entry.json").read_bytes())
        broken = tuple((position, reason) for position, reason in raw.pop("broken"))
        shape = tuple(raw.pop("shape"))
        state = EntryState(**raw, broken=broken, shape=shape)
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None
    return state if _is_sound(state) else None


def _is_sound(state: EntryState) -> bool:
    """Whether a state that was read has the types it should, and numbers that fit together."""
    logits = (state.logit_width, state.logit_checksum)
    return (
        all(_is_count(n) for n in (state.next_position, state.rows, state.width, *state.shape))
        and isinstance(state.checksum, str)
        and isinstance(state.engine, str)
        and (logits == (None, None) or (_is_count(logits[0]) and isinstance(logits[1], str)))
        and all(_is_count(position) and isinstance(why, str) for position, why in state.broken)
        and all(position < state.next_position for position, _ in state.broken)
        and len({position for position, _ in state.broken}) == len(state.broken)
        and state.rows + len(state.broken) == state.next_position
    )


def _is_count(value: object) -> bool:
    """Whether a value read from JSON is a whole number from 0."""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def open_entry(folder: Path, count: int) -> Entry | None:
    """A finished entry of `count` images, memory-mapped; None if missing or not as written."""
    state = _read_state(folder)
    if state is None or state.next_position != count:
        return None
    features = rows_are_intact(folder / "features.npy", state.rows, state.width, state.checksum)
    if features is None:
        return None
    logits = None
    if state.logit_width is not None:
        logits = rows_are_intact(
            folder / "logits.npy", state.rows, state.logit_width, state.logit_checksum
        )
        if logits is None:
            return None
    return Entry(features=features, logits=logits, state=state)


@contextmanager
def locked(folder: Path, key: str, progress: Progress | None) -> Iterator[None]:
    """Hold the lock of one key; while another process has it, wait.

    Raises:
        UsageError: the cache folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = FileLock(folder / f"{key}.lock")
        while True:
            try:
                lock.acquire(timeout=1.0)
                break
            except Timeout:
                if progress is not None:
                    progress("waiting for another process that computes the same features", 0, None)
    except OSError as error:
        raise UsageError(
            f"cannot write the cache folder {folder} ({error.strerror}); set $GENMEM_CACHE to a "
            "folder that can be written"
        ) from error
    try:
        yield
    finally:
        lock.release()


def cached_array(
    folder: Path, key: str, compute: Any, progress: Progress | None = None
) -> NDArray[Any]:
    """The array of this key in `folder`, computed once by whichever process comes first.

    Returns:
        The array mapped copy-on-write: pages are shared until somebody writes to them.

    Raises:
        UsageError: the cache folder cannot be written.
    """
    file = folder / f"{key}.npy"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not file.is_file():
            with locked(folder, key, progress):
                if not file.is_file():
                    array = compute()
                    with atomic_write(file) as opened:
                        np.save(opened, array, allow_pickle=False)
        return np.load(file, mmap_mode="c", allow_pickle=False)
    except OSError as error:
        raise UsageError(
            f"cannot use the cache folder {folder} ({error.strerror}); make room there, or set "
            "$GENMEM_CACHE to another folder"
        ) from error
