"""Which files are images, by their names; and millions of names held in one block of bytes.

The rule looks at the name alone, in upper or lower case:

- **ignored**: every path with a part that starts with a dot (`.DS_Store`, `.git/…`), everything
  under `__MACOSX`, and the files `Thumbs.db` and `desktop.ini`, which operating systems create;
- **images**: names that end in one of `IMAGE_SUFFIXES`, whether or not they can be read here;
- **side files**: names that end in one of `SIDE_SUFFIXES`, and files of any kind with the key of an
  image, as webdataset and img2dataset write them beside images. They are left out and counted. A
  key is a path up to the first dot of the file's name: `00/12.vae.npy` has that of `00/12.jpg`;
- **non-images**: all other files. They keep a position, so that ids and positions do not depend on
  whether they are tolerated, but have no content.
"""

from __future__ import annotations

import json
from abc import abstractmethod
from array import array
from collections.abc import Iterable
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from genmem.errors import InputError, os_reason
from genmem.formatting import count, printable
from genmem.images.classes import shared_folder
from genmem.images.source import ImageSource, NoImagesError

IMAGE_SUFFIXES = "jpg jpeg jpe jfif png webp bmp gif tif tiff ppm pgm pbm pnm avif heic heif jxl"
SIDE_SUFFIXES = "json txt cls parquet"

CAPTION_FIELDS = ("caption", "text", "TEXT")
"""Names of the field of JSON, or of the column, that holds captions; the first counts."""

_MAX_LABEL = 200
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


def keys_of(names: pa.Array) -> pa.Array:
    """The key of each name: its path up to the first dot of the file's name."""
    options = pc.ReplaceSubstringOptions("[.][^/]*$", "")
    return pc.call_function("replace_substring_regex", [names], options)


class PackedNames:
    """Sorted names in one block of bytes: 4 bytes per name beside the text, and no object.

    Side files are left out. The others are sorted by their bytes, for UTF-8 the order of code
    points: the same on every machine, and the same for a folder as for an archive of it.

    Attributes:
        order: int64 [n + s], the index among the names given of each sorted name, and after them of
            the side files that hold captions and labels.
        images: bool [n], which names end in the suffix of an image.
        side_files: how many side files were left out.
        captions: int32 [n], where in `order` the caption of each image is, -1 without one; None if
            there are no captions.
        caption_suffix: `.txt`, or `.json` if there are captions only in JSON.
        labels: int32 [n], the same of the side files `.cls`.
    """

    order: NDArray[np.int64]
    images: NDArray[np.bool_]
    side_files: int
    captions: NDArray[np.int32] | None
    labels: NDArray[np.int32] | None

    def __init__(self, names: Iterable[bytes]) -> None:
        unsorted = _pack(names)
        order = pc.call_function("array_sort_indices", [unsorted])
        ordered = unsorted.take(order)
        is_image, is_side = (
            _have_suffix(ordered, IMAGE_SUFFIXES),
            _have_suffix(ordered, SIDE_SUFFIXES),
        )
        others = pc.call_function("invert", [pc.call_function("or", [is_image, is_side])])
        if is_image.true_count and others.true_count:
            image_keys = pc.SetLookupOptions(keys_of(ordered.filter(is_image)))
            with_key = pc.call_function("is_in", [keys_of(ordered)], image_keys)
            is_side = pc.call_function("or", [is_side, pc.call_function("and", [others, with_key])])
        self.side_files = is_side.true_count
        is_entry = pc.call_function("invert", [is_side])
        self._names = ordered.filter(is_entry)
        self.images = is_image.filter(is_entry).to_numpy(zero_copy_only=False)
        rows = [order.filter(is_entry).to_numpy()]
        sides, side_order = ordered.filter(is_side), order.filter(is_side)
        self.captions, self.labels, self.caption_suffix = None, None, ".txt"
        if len(sides) and is_image.true_count:
            self.captions = self._match(sides, side_order, rows, ".txt")
            if self.captions is None:
                self.captions = self._match(sides, side_order, rows, ".json")
                self.caption_suffix = ".json"
            self.labels = self._match(sides, side_order, rows, ".cls")
        self.order = np.concatenate(rows).astype(np.int64)

    def _match(
        self, sides: pa.Array, order: pa.Array, rows: list[NDArray[Any]], suffix: str
    ) -> NDArray[np.int32] | None:
        """Where each image's side file of one suffix will be in `order`; adds those to `rows`."""
        options = pc.MatchSubstringOptions(suffix)
        chosen = pc.call_function("ends_with", [sides], options)
        if not chosen.true_count:
            return None
        found = pc.call_function(
            "index_in", [keys_of(self._names)], pc.SetLookupOptions(keys_of(sides.filter(chosen)))
        )
        start = sum(map(len, rows))
        rows.append(order.filter(chosen).to_numpy())
        matched = found.is_valid().to_numpy(zero_copy_only=False) & self.images
        positions = np.where(matched, found.fill_null(0).to_numpy() + start, -1)
        return positions.astype(np.int32) if matched.any() else None

    def __len__(self) -> int:
        return len(self._names)

    def __getitem__(self, position: int) -> bytes:
        return self._names[position].as_py()

    def first_duplicate(self) -> bytes | None:
        """The first name that occurs twice; None if all differ."""
        same = pc.call_function("equal", [self._names[1:], self._names[:-1]])
        position = pc.call_function("index", [same], pc.IndexOptions(pa.scalar(True))).as_py()
        return None if position < 0 else self[position]


def _pack(names: Iterable[bytes]) -> pa.Array:
    text, ends = bytearray(), array("q", [0])
    for name in names:
        text += name
        ends.append(len(text))
    kind, offsets = pa.large_binary(), pa.py_buffer(ends)
    if len(text) < 2**31:
        kind, offsets = pa.binary(), pa.py_buffer(np.array(ends, np.int32))
    return pa.Array.from_buffers(kind, len(ends) - 1, [None, offsets, pa.py_buffer(text)])


class NamedSource(ImageSource):
    """A source whose entries are files with names: a folder or an archive.

    Attributes:
        class_root: the folder that all images share (see `classes`), for a shard those of all
            shards; None until it is needed.
    """

    def __init__(self, names: PackedNames, *, name: str, where: str) -> None:
        self.name, self.where = name, where
        self.class_root: bytes | None = None
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
            kind = InputError if names else NoImagesError
            raise kind(
                f"{where}: expected images ({IMAGE_SUFFIXES}), found {actual}. Check the path."
            )

    def __len__(self) -> int:
        return len(self._names)

    def id(self, position: int) -> str:
        """The path below the root, with `/` between its parts, printable."""
        return printable_name(self._names[position])

    def class_name(self, position: int) -> str | None:
        """The text of the image's side file `.cls`; else its first folder below `class_root`."""
        if self._names.labels is not None and self._names.labels[position] >= 0:
            return self._labels[0][self._labels[1][position]]
        if self.class_root is None:
            self.class_root = shared_folder(*self.ends)
        folder, slash, _ = self._names[position].removeprefix(self.class_root).partition(b"/")
        return printable_name(folder) if slash else None

    @property
    def ends(self) -> tuple[bytes, bytes]:
        """The paths of the first image and of the last."""
        images = np.flatnonzero(self._names.images)
        first, last = (self._names[int(images[end])] for end in (0, -1))
        return first, last

    @cached_property
    def _labels(self) -> tuple[list[str], NDArray[np.int32]]:
        """The different texts of the side files `.cls`, and the number of each entry's text."""
        labels = self._names.labels
        numbers: dict[str, int] = {}
        codes = np.full(len(self), -1, np.int32)
        for position in np.flatnonzero(labels >= 0).tolist() if labels is not None else ():
            text = self._side_text(position, ".cls") or ""
            codes[position] = numbers.setdefault(text[:_MAX_LABEL], len(numbers))
        return list(numbers), codes

    def caption(self, position: int) -> str | None:
        """The text beside the image: of its `.txt`, or else `caption` or `text` of its `.json`."""
        captions, suffix = self._names.captions, self._names.caption_suffix
        if captions is None or captions[position] < 0:
            return None
        text = self._side_text(position, suffix)
        if text and suffix == ".json":
            text = _json_caption(text)
        return text or None

    def _side_text(self, position: int, suffix: str) -> str:
        try:
            content = self._read_side(position, suffix)
        except OSError as error:
            raise InputError(
                f"{self.describe(position)}: its side file {suffix} cannot be read: "
                f"{os_reason(error)}."
            ) from error
        return content.decode("utf-8", "replace").strip()

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

    @abstractmethod
    def _read_side(self, position: int, suffix: str) -> bytes:
        """The bytes of a side file of the image at `position`, which has one of this suffix."""


def _json_caption(text: str) -> str | None:
    try:
        fields = json.loads(text)
    except ValueError:
        return None
    values = (fields.get(key) for key in CAPTION_FIELDS) if isinstance(fields, dict) else ()
    return next((value for value in values if isinstance(value, str)), None)
