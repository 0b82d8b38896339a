"""Which files are images, by their names; and millions of names held in one block of bytes.

The rule looks at the name alone, in upper or lower case:

- **ignored**: every path with a part that starts with a dot (`.DS_Store`, `.git/…`), everything
  under `__MACOSX`, and the files `Thumbs.db` and `desktop.ini`, which operating systems create;
- **images**: names that end in one of `IMAGE_SUFFIXES`, whether or not they can be read here;
- **side files**: names that end in one of `SIDE_SUFFIXES`, as webdataset and img2dataset write them
  beside images. They are left out and counted;
- **non-images**: all other files. They keep a position, so that ids and positions do not depend on
  whether they are tolerated, but have no content.
"""

from __future__ import annotations

from abc import abstractmethod
from array import array
from collections.abc import Iterable
from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from genmem.errors import InputError, os_reason
from genmem.formatting import count, printable
from genmem.images.classes import shared_folder
from genmem.images.source import ImageSource

IMAGE_SUFFIXES = "jpg jpeg jpe jfif png webp bmp gif tif tiff ppm pgm pbm pnm avif heic heif jxl"
SIDE_SUFFIXES = "json txt cls"

_SYSTEM_FILES = frozenset([b"__macosx", b"thumbs.db", b"desktop.ini"])


def is_ignored(part: bytes) -> bool:
    """Whether one part of a path is hidden or created by an operating system."""
    return part.startswith(b".") or part.lower() in _SYSTEM_FILES


def _have_suffix(names: pa.Array, suffixes: str) -> pa.Array:
    pattern = rf"(?i)[.]({suffixes.replace(' ', '|')})$"
    return pc.call_function("match_substring_regex", [names], pc.MatchSubstringOptions(pattern))


def printable_name(name: bytes) -> str:
    """A file name as one line of text; bytes that are not UTF-8 are escaped (see `printable`)."""
    return printable(name.decode("utf-8", "backslashreplace"))


class PackedNames:
    """Sorted names in one block of bytes: about 8 bytes per name beside the text, and no object.

    Side files are left out. The others are sorted by their bytes, for UTF-8 the order of code
    points: the same on every machine, and the same for a folder as for an archive of it.

    Attributes:
        order: int64 [n], the index of each sorted name among the names given.
        images: bool [n], which names end in the suffix of an image.
        side_files: how many side files were left out.
    """

    order: NDArray[np.int64]
    images: NDArray[np.bool_]
    side_files: int

    def __init__(self, names: Iterable[bytes]) -> None:
        text, ends = bytearray(), array("q", [0])
        for name in names:
            text += name
            ends.append(len(text))
        unsorted = pa.LargeBinaryArray.from_buffers(
            pa.large_binary(), len(ends) - 1, [None, pa.py_buffer(ends), pa.py_buffer(text)]
        )
        order = pc.call_function("array_sort_indices", [unsorted])
        is_side_file = _have_suffix(unsorted.take(order), SIDE_SUFFIXES)
        order = order.filter(pc.call_function("invert", [is_side_file]))
        self.side_files = len(unsorted) - len(order)
        self.order = order.to_numpy().astype(np.int64)
        self._names = unsorted.take(order)
        self.images = _have_suffix(self._names, IMAGE_SUFFIXES).to_numpy(zero_copy_only=False)

    def __len__(self) -> int:
        return len(self._names)

    def __getitem__(self, position: int) -> bytes:
        return self._names[position].as_py()

    def first_duplicate(self) -> bytes | None:
        """The first name that occurs twice; None if all differ."""
        same = pc.call_function("equal", [self._names[1:], self._names[:-1]])
        position = pc.call_function("index", [same], pc.IndexOptions(pa.scalar(True))).as_py()
        return None if position < 0 else self[position]


class NamedSource(ImageSource):
    """A source whose entries are files with names: a folder or an archive."""

    def __init__(self, names: PackedNames, *, name: str, where: str) -> None:
        self.name, self.where = name, where
        self._names = names
        self.side_file_count = names.side_files
        non_images = np.flatnonzero(~names.images)
        if len(non_images):
            self.non_image_count = len(non_images)
            self.first_non_image = self.id(int(non_images[0]))
        if len(non_images) == len(names):
            files = f"{count(len(names), 'other file')}, such as {self.first_non_image}"
            sides = count(names.side_files, "side file")
            parts = [files] * bool(names) + [sides] * bool(names.side_files)
            actual = " and ".join(parts) or "nothing"
            raise InputError(
                f"{where}: expected images ({IMAGE_SUFFIXES}), found {actual}. Check the path."
            )

    def __len__(self) -> int:
        return len(self._names)

    def id(self, position: int) -> str:
        """The path below the root, with `/` between its parts, printable."""
        return printable_name(self._names[position])

    def class_name(self, position: int) -> str | None:
        """The first folder below those that all images share (see `classes`); None without one."""
        folder, slash, _ = self.id(position).removeprefix(self._class_root).partition("/")
        return folder if slash else None

    @cached_property
    def _class_root(self) -> str:
        images = np.flatnonzero(self._names.images)
        first, last = (self._names[int(images[end])] for end in (0, -1))
        return printable_name(shared_folder(first, last))

    def content(self, position: int) -> bytes:
        """The bytes of the file."""
        if not self._names.images[position]:
            raise InputError(f"{self.describe(position)}: not an image, by its suffix.")
        try:
            return self._read(position)
        except OSError as error:
            raise InputError(
                f"{self.describe(position)}: cannot be read: {os_reason(error)}."
            ) from error

    @abstractmethod
    def _read(self, position: int) -> bytes:
        """The bytes of the image at `position`."""
