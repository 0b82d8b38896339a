"""Content hashes of the images of a source; nothing is decoded."""

from __future__ import annotations

from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from genmem.backend import active_backend
from genmem.errors import InputError
from genmem.images.formats import unsupported_reason
from genmem.images.prefetch import map_in_order, usable_cores
from genmem.images.source import HASH_BYTES, ImageHashes, ImageSource, Progress

_CHUNK = 256
_UNREADABLE = bytes(HASH_BYTES)


def hash_images(source: ImageSource, *, progress: Progress | None = None) -> ImageHashes:
    """Hash the content of every image (BLAKE2b, 128 bits), in threads, once per opened source.

    Encoded images are hashed as stored; pixels with their shape. Names and paths do not count: the
    same files in a folder, a zip and a tar have the same hashes.

    Args:
        source: the images.
        progress: told how many entries are done.

    Returns:
        The hashes; `source.hashes` keeps them.
    """
    if source.hashes is None:
        backend = active_backend()
        per_image = backend.hash_images(source) if backend else None
        if per_image is None:
            per_image = hash_entries(source, progress)
        source.hashes = ImageHashes(per_image=per_image)
    return source.hashes


def hash_entries(source: ImageSource, progress: Progress | None = None) -> NDArray[np.uint8]:
    """The hashes of `ImageHashes`, computed in this process."""
    count = len(source)
    per_image = np.empty((count, HASH_BYTES), np.uint8)
    chunks = (range(i, min(i + _CHUNK, count)) for i in range(0, count, _CHUNK))
    workers = usable_cores()
    done = 0
    for hashes in map_in_order(
        lambda chunk: b"".join(_hash(source, position) for position in chunk),
        chunks,
        workers=workers,
        ahead=4 * workers,
    ):
        rows = np.frombuffer(hashes, np.uint8).reshape(-1, HASH_BYTES)
        per_image[done : done + len(rows)] = rows
        done += len(rows)
        if progress:
            progress("reading images", done, count)
    return per_image


def _hash(source: ImageSource, position: int) -> bytes:
    try:
        return _hash_content(source.content(position))
    except InputError:
        return _UNREADABLE


def _hash_content(content: bytes | NDArray[np.uint8]) -> bytes:
    if isinstance(content, bytes):
        if unsupported_reason(content) is not None:
            return _UNREADABLE  # so that the hash changes when a package makes it readable
        return blake2b(content, digest_size=HASH_BYTES).digest()
    shape = f"uint8 {content.shape}".encode()
    return blake2b(shape + content.tobytes(), digest_size=HASH_BYTES).digest()


def refuse_changed(
    source: ImageSource, position: int, content: bytes | NDArray[np.uint8] | None
) -> None:
    """Check what was read against its hash, so that no cache key describes other images.

    Args:
        source: the images; nothing is checked before `hash_images` hashed them.
        position: of the entry.
        content: what was read; None if the entry cannot be read.

    Raises:
        InputError: the entry was hashed with another content.
    """
    if source.hashes is None:
        return
    actual = _UNREADABLE if content is None else _hash_content(content)
    if actual != source.hashes.per_image[position].tobytes():
        raise InputError(
            f"{source.describe(position)}: changed while {source.name} was read. Wait until "
            "nothing writes to it, then run again."
        )
