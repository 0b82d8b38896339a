"""The feature sets in the cache.

A feature set is a folder of the cache, named by its key:

    features/<key>/features.npy   float32 [n, d], a row for every image of the source
    features/<key>/logits.npy     float32 [n, c], for backbones that give logits
    features/<key>/entry.json     how many rows are filled, their checksums, broken images, `done`

The arrays are memory maps, allocated in full at the first batch and filled from the top. Every few
seconds `entry.json` records how far they are filled, so that an interrupted run resumes there; its
`done` marks a complete set. Rows of broken images are not stored: the rows after the last filled
one are unused. One process writes a set, under the lock file of its key; the others wait, then read
it. The operating system releases the lock of a process that dies. Checksums are verified whenever a
set is opened or resumed.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Self

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray
from pydantic import BaseModel, NonNegativeInt, model_validator

from genmem.errors import InputError, UsageError
from genmem.features.cache import cache_errors, locked
from genmem.images import Progress
from genmem.io.atomic import atomic_write
from genmem.io.npy import map_npy

FLUSH_SECONDS = 5.0
"""An interrupted run loses at most this much work."""

_HASH_BYTES = 1 << 24
_STATE_FILE = "entry.json"
_ARRAY_FILES = ("features.npy", "logits.npy")


@dataclass(frozen=True, kw_only=True)
class Rows:
    """The features of the next images of a source.

    Attributes:
        arrays: features float32 [b, d], then logits float32 [b, c] if the backbone gives them;
            empty if every image of the batch is broken.
        next_position: the position in the source after these images.
        shape: of one preprocessed image, the same for all images; () if it differs.
        broken: position and reason of every image left out up to here. A reason names neither the
            image nor its folder: other people may have the same images elsewhere.
    """

    arrays: Sequence[NDArray[np.float32]]
    next_position: int
    shape: tuple[int, ...]
    broken: tuple[tuple[int, str], ...]


class EntryState(BaseModel, frozen=True, strict=True, extra="forbid"):
    """What `entry.json` holds.

    Attributes:
        done: the set is complete.
        next_position: the first position of the source that is not processed.
        rows: filled rows.
        widths: columns of each array.
        checksums: BLAKE2b of the filled rows of each array.
        shape, broken: as in `Rows`.
    """

    done: bool = False
    next_position: NonNegativeInt
    rows: NonNegativeInt
    widths: tuple[NonNegativeInt, ...]
    checksums: tuple[str, ...]
    shape: tuple[NonNegativeInt, ...]
    broken: tuple[tuple[NonNegativeInt, str], ...]

    @model_validator(mode="after")
    def _check_counts(self) -> Self:
        positions = {position for position, _ in self.broken}
        if (
            len(self.widths) not in (1, 2)
            or len(self.checksums) != len(self.widths)
            or len(positions) != len(self.broken)
            or self.rows + len(positions) != self.next_position
            or max(positions, default=-1) >= self.next_position
        ):
            raise ValueError("the numbers contradict each other")
        return self


@dataclass(frozen=True, kw_only=True)
class Entry:
    """A complete feature set; its arrays are memory-mapped if they come from the cache.

    Attributes:
        features: float32 [n, d].
        logits: float32 [n, c]; None if the backbone gives none.
        shape, broken: as in `Rows`.
    """

    features: NDArray[np.float32]
    logits: NDArray[np.float32] | None
    shape: tuple[int, ...]
    broken: tuple[tuple[int, str], ...]


Compute = Callable[[EntryState | None], Generator[Rows, None, None]]
"""Computes the rows that follow a state; all rows for None."""


def compute_in_memory(count: int, compute: Compute) -> Entry:
    """Compute a feature set in memory, without the cache.

    Args:
        count: images in the source.
        compute: gives the rows.
    """
    return _fill(_EntryWriter(None, count), compute)


def open_or_compute(
    folder: Path, count: int, compute: Compute, *, progress: Progress | None
) -> tuple[Entry, bool]:
    """A feature set from the cache; computed first if it is missing, incomplete or damaged.

    Args:
        folder: the set's folder, named by its key.
        count: images in the source.
        compute: gives the rows that are missing.
        progress: told while another process computes the same set.

    Returns:
        The set, and whether it was in the cache.

    Raises:
        UsageError: the cache folder cannot be written.
        UsageError: it does not keep what is written to it.
    """
    if (entry := _open_entry(folder, count)) is not None:
        return entry, True
    with locked(folder.parent, folder.name, progress):
        if (entry := _open_entry(folder, count)) is not None:
            return entry, True
        _fill(_EntryWriter(folder, count), compute)
        entry = _open_entry(folder, count)
        if entry is not None:
            remove_shards(folder)
    if entry is None:
        raise UsageError(
            f"the cache folder {folder.parent} does not keep what is written to it. Set "
            "$GENMEM_CACHE to another folder."
        )
    return entry, False


def shards_folder(folder: Path) -> Path:
    """Where workers put the shards of a set until it is complete (`genmem.distributed`)."""
    return folder.with_name(f"{folder.name}.shards")


def remove_shards(folder: Path) -> None:
    """Remove the shards of a complete set."""
    shutil.rmtree(shards_folder(folder), ignore_errors=True)


def is_done(folder: Path) -> bool:
    """Whether a feature set is marked as complete; its rows are not verified."""
    state = _read_state(folder)
    return state is not None and state.done


def _fill(writer: _EntryWriter, compute: Compute) -> Entry:
    """Compute the rows that the writer does not have; interrupted, it keeps those it got."""
    try:
        with closing(compute(writer.state)) as parts:
            for rows in parts:  # outside `cache_errors`: reading images has errors of its own
                writer.append(rows)
        return writer.finish()
    finally:
        writer.flush()


class _EntryWriter:
    """Fills the arrays of one set, from where an earlier run stopped.

    Attributes:
        state: what is filled; None before the first rows.
    """

    def __init__(self, folder: Path | None, count: int) -> None:
        """Resume or start the set in `folder`; None fills arrays in memory."""
        self._folder, self._count = folder, count
        self._flushed = time.monotonic()
        self._arrays: list[NDArray[np.float32]] = []
        self._hashers: list[hashlib.blake2b] = []
        self.state: EntryState | None = None
        if folder is None:
            return
        state = _read_state(folder)
        if state is not None and not state.done:
            arrays, self._hashers = _open_arrays(folder, state, count) or ([], [])
            if arrays:
                self.state = state
                self._arrays = [self._reopen(place) for place in range(len(arrays))]
        if self.state is None:
            # Deleted, not overwritten: other processes may have the old arrays mapped.
            shutil.rmtree(folder, ignore_errors=True)
            with cache_errors(folder.parent):
                folder.mkdir(parents=True)

    def append(self, rows: Rows) -> None:
        """Write rows after those that are filled; flush every `FLUSH_SECONDS`."""
        if rows.arrays and not self._arrays:
            self._arrays = [
                self._allocate(name, array.shape[1])
                for name, array in zip(_ARRAY_FILES, rows.arrays, strict=False)
            ]
            self._hashers = [new_hasher() for _ in rows.arrays]
        if not self._arrays:
            return
        start = self.state.rows if self.state else 0
        stop = start + (len(rows.arrays[0]) if rows.arrays else 0)
        for array, hasher, block in zip(self._arrays, self._hashers, rows.arrays, strict=False):
            array[start:stop] = block
            if self._folder is not None:
                hash_rows(hasher, array[start:stop])
        self.state = EntryState(
            next_position=rows.next_position,
            rows=stop,
            widths=tuple(array.shape[1] for array in self._arrays),
            checksums=tuple(hasher.hexdigest() for hasher in self._hashers),
            shape=rows.shape,
            broken=rows.broken,
        )
        if time.monotonic() - self._flushed > FLUSH_SECONDS:
            self.flush()

    def flush(self) -> None:
        """Save the rows, then the state that vouches for them."""
        if self._folder is None or self.state is None:
            return
        with cache_errors(self._folder.parent):
            for place, array in enumerate(self._arrays):
                if isinstance(array, np.memmap):
                    array.flush()
                # A new map: the pages of the old one no longer count as this process's memory.
                self._arrays[place] = self._reopen(place)
        with atomic_write(self._folder / _STATE_FILE) as file:
            file.write(self.state.model_dump_json().encode())
        self._flushed = time.monotonic()

    def finish(self) -> Entry:
        """Mark the set as complete; `flush` saves it."""
        if self.state is None:
            raise InputError("expected at least one image that can be read, got none.")
        self.state = self.state.model_copy(update={"done": True})
        return _entry(self._arrays, self.state)

    def _reopen(self, place: int) -> NDArray[np.float32]:
        """The map of an array's file, cut to the array's size."""
        assert self._folder is not None
        path = self._folder / _ARRAY_FILES[place]
        array = np.load(path, mmap_mode="r+", allow_pickle=False)
        os.truncate(path, array.offset + array.nbytes)
        return array

    def _allocate(self, name: str, width: int) -> NDArray[np.float32]:
        """An array of one row per image. Its file takes its whole place on the disk at once."""
        shape = (self._count, width)
        if self._folder is None:
            return np.empty(shape, np.float32)
        path = self._folder / name
        with cache_errors(self._folder.parent), path.open("wb") as file:
            header = {"descr": "<f4", "fortran_order": False, "shape": shape}
            npy.write_array_header_1_0(file, header)
            _reserve(file, 4 * self._count * width)
        return np.load(path, mmap_mode="r+")


def _reserve(file: BinaryIO, size: int) -> None:
    """Take `size` bytes on the disk: a full disk is an error here, not a crash of the map later."""
    file.flush()
    with suppress(AttributeError, OSError):  # not every platform and file system can do it
        os.posix_fallocate(file.fileno(), file.tell(), size)
        return
    for start in range(0, size, _HASH_BYTES):
        file.write(bytes(min(_HASH_BYTES, size - start)))


def _read_state(folder: Path) -> EntryState | None:
    """The state in a set's folder; None if it is missing or is not a state."""
    try:
        return EntryState.model_validate_json((folder / _STATE_FILE).read_bytes())
    except (OSError, ValueError):
        return None


def _open_entry(folder: Path, count: int) -> Entry | None:
    """The complete set of `count` images, memory-mapped; None if missing or damaged."""
    state = _read_state(folder)
    if state is None or not state.done or state.next_position != count:
        return None
    verified = _open_arrays(folder, state, count)
    return None if verified is None else _entry(verified[0], state)


def _entry(arrays: Sequence[NDArray[np.float32]], state: EntryState) -> Entry:
    features, *logits = (array[: state.rows] for array in arrays)
    return Entry(
        features=features,
        logits=logits[0] if logits else None,
        shape=state.shape,
        broken=state.broken,
    )


def _open_arrays(
    folder: Path, state: EntryState, count: int
) -> tuple[list[NDArray[np.float32]], list[hashlib.blake2b]] | None:
    """The mapped arrays and the hashes of their filled rows; None if they are not as written."""
    arrays, hashers = [], []
    if state.next_position > count:
        return None
    columns = zip(_ARRAY_FILES, state.widths, state.checksums, strict=False)
    for name, width, checksum in columns:
        array = map_npy(folder / name)
        if not isinstance(array, np.memmap) or not array.flags.c_contiguous:
            return None
        if array.shape != (count, width) or array.dtype.str != "<f4":
            return None
        if state.done and (folder / name).stat().st_size != array.offset + array.nbytes:
            return None
        hasher = new_hasher()
        step = max(1, _HASH_BYTES // max(1, 4 * width))
        for start in range(0, state.rows, step):
            hash_rows(hasher, array[start : min(start + step, state.rows)])
        if hasher.hexdigest() != checksum:
            return None
        arrays.append(array)
        hashers.append(hasher)
    return arrays, hashers


def new_hasher() -> hashlib.blake2b:
    """The hash of rows; feed it with `hash_rows`."""
    return hashlib.blake2b(digest_size=16)


def hash_rows(hasher: hashlib.blake2b, rows: NDArray[np.float32]) -> None:
    """Add float32 rows [b, d] to a hash."""
    hasher.update(np.ascontiguousarray(rows, dtype="<f4").data)
