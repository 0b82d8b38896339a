"""`ImageSource`: what every source of images offers, however it is stored."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from genmem.errors import InputError
from genmem.formatting import count
from genmem.io.closable import Closable
from genmem.progress import Progress as Progress


class NoImagesError(InputError):
    """A file or folder holds no entry at all: nothing but side files, if those."""


class ImageSource(Closable):
    """Images in a fixed order, each with a stable id; read one at a time, from any thread.

    A source decodes nothing and holds no pixels: `content` reads what is stored, `decode` turns it
    into pixels. Use it as a context manager, or call `close` afterwards.

    Attributes:
        name: the last part of what the user gave ("train.zip", "array"): safe in reports.
        where: the source as the user gave it, for error messages.
        non_image_count: how many entries are not images by their names (see `filenames`).
        first_non_image: the id of the first of them; None if there is none.
        side_file_count: how many side files (captions, labels, metadata) lay beside the images or
            the shards and were left out (see `filenames`); they are no entries.
        origin: what `open_images` opens it from again, elsewhere too: a path or an address; None if
            it is in memory.
        hashes: the images' content hashes; None until `hash_images` computed them.
    """

    name: str
    where: str
    non_image_count: int = 0
    first_non_image: str | None = None
    side_file_count: int = 0
    origin: str | None = None
    hashes: ImageHashes | None = None

    @abstractmethod
    def __len__(self) -> int:
        """The number of entries; their positions start at 0."""

    @abstractmethod
    def id(self, position: int) -> str:
        """The entry's stable id: its path in a folder or archive, else its number ("000123").

        In a set of several shards, the shard's name stands before it ("00003/000030012.jpg").
        """

    @abstractmethod
    def content(self, position: int) -> bytes | NDArray[np.uint8]:
        """Read an entry: an encoded image as bytes, or pixels [H, W] or [H, W, C]. Thread-safe.

        Raises:
            InputError: the entry is not an image by its name, or cannot be read.
        """

    def class_name(self, position: int) -> str | None:
        """The entry's class (see `classes`); None if it has none."""
        return None

    def caption(self, position: int) -> str | None:
        """The text that was stored with the entry; None if there is none. Read when asked for."""
        return None

    def describe(self, position: int) -> str:
        """The entry's id and its source, for the start of an error message."""
        return f"{self.id(position)} in {self.where}"

    def close(self) -> None:
        """Close files; the source cannot be read afterwards."""


def number_id(position: int, count: int) -> str:
    """The id of an entry without a name: its number, zero-padded so that ids sort like numbers.

    Args:
        position: the entry's number, from 0.
        count: entries in the source.
    """
    return f"{position:0{max(6, len(str(count - 1)))}d}"


def refuse_non_images(source: ImageSource) -> None:
    """Raise InputError if some entries are not images by their names."""
    if source.non_image_count:
        more = source.non_image_count - 1
        raise InputError(
            f"{source.first_non_image} in {source.where}: expected only images, but this file"
            + (f" and {more:,} more are" if more else " is")
            + " not, by the suffix. Move it elsewhere, or leave such files out with --skip-broken "
            "(skip_broken=True)."
        )


def broken_file_notes(number: int) -> tuple[str, ...]:
    """A sentence on the files that were left out since they cannot be decoded, if there are any.

    Args:
        number: how many.
    """
    if not number:
        return ()
    verb = "was" if number == 1 else "were"
    return (f"{count(number, 'file')} that cannot be read as an image {verb} left out.",)


def side_file_notes(source: ImageSource) -> tuple[str, ...]:
    """A sentence on the side files that were left out, if there are any."""
    number = source.side_file_count
    if not number:
        return ()
    verb = "was" if number == 1 else "were"
    sides = f"{count(number, 'side file')} (captions, labels, metadata)"
    return (f"{sides} in {source.name} {verb} left out.",)


HASH_BYTES = 16
"""Bytes of the hash of one image (BLAKE2b, 128 bits)."""


@dataclass(frozen=True, kw_only=True)
class ImageHashes:
    """Content hashes of a source's entries.

    Attributes:
        per_image: uint8 [n, 16], a hash of each entry's content; zeros for entries that cannot be
            read (damaged in their archive, not images by their names, or of a format that is not
            supported here).
    """

    per_image: NDArray[np.uint8]

    @property
    def hexdigest(self) -> str:
        """One hash over all rows in order, 32 hexadecimal digits."""
        return blake2b(self.per_image.tobytes(), digest_size=HASH_BYTES).hexdigest()
