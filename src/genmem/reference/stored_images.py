"""`StoredImages`: the pictures of a reference as a source of images."""

from __future__ import annotations

from typing import Any

import numpy as np

from genmem.errors import InputError
from genmem.images import ImageSource, open_images
from genmem.reference.reference import Reference, is_reference, open_reference
from genmem.reference.thumbnails import SIDE, is_whole


def open_training_images(source: Any) -> ImageSource:
    """`open_images`, or the training images of a reference that has all of their pixels.

    Raises:
        InputError: as `open_images`; or a reference has no pictures, or smaller ones.
    """
    images = open_training_pictures(source)
    if isinstance(images, StoredImages):
        images.check_whole()
    return images


def open_training_pictures(source: Any) -> ImageSource:
    """`open_images`, or the pictures of a reference, which may be smaller than its images.

    Raises:
        InputError: as `open_images`; or a reference has no pictures.
    """
    if not is_reference(source):
        return open_images(source)
    return StoredImages(source if isinstance(source, Reference) else open_reference(source))


class StoredImages(ImageSource):
    """The pictures of the training images of a reference.

    Args:
        reference: opened.

    Raises:
        InputError: it has none.
    """

    def __init__(self, reference: Reference) -> None:
        self.name, self.where = reference.name, str(reference.folder)
        self.origin = str(reference.folder)
        self._ids = reference.ids("train")
        self._parts = reference.pictures("train")
        if not self._parts:
            raise self._error("no pictures of its images")
        self._starts = np.cumsum([0, *(len(ends) for _, ends in self._parts)])

    def check_whole(self) -> None:
        """Refuse pictures that are not the images, pixel by pixel.

        Raises:
            InputError: some are smaller.
        """
        smaller = sum(not is_whole(self.content(position)) for position in range(len(self)))
        if smaller:
            raise self._error(f"smaller pictures of {smaller:,} images of more than {SIDE} pixels")

    def _error(self, lacks: str) -> InputError:
        return InputError(
            f"{self.where}: expected images, got a reference with {lacks}. Give the images "
            "themselves."
        )

    def __len__(self) -> int:
        return len(self._ids)

    def id(self, position: int) -> str:
        """The image's id in the set that the reference was made of."""
        return self._ids[position]

    def content(self, position: int) -> bytes:
        """The picture: the image as PNG, or a smaller JPEG."""
        number = int(np.searchsorted(self._starts, position, side="right")) - 1
        data, ends = self._parts[number]
        row = position - int(self._starts[number])
        return data[int(ends[row - 1]) if row else 0 : int(ends[row])].tobytes()

    def class_name(self, position: int) -> str | None:
        """The image's class in the reference."""
        return self._ids.classes[position]
