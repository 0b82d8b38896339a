"""Training images: selected, decoded, cropped, resized, with their classes and duplicates.

Every training loads its images here: an image becomes its central square, resized by Lanczos (as
"On Memorization in Diffusion Models" makes its small images).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genmem.errors import InputError
from genmem.formatting import count
from genmem.images import (
    ImageSource,
    Progress,
    broken_file_notes,
    read_classes,
    side_file_notes,
)
from genmem.reference.stored_images import open_training_images
from genmem.training.common.config import ImageSelection
from genmem.training.common.pixel_cache import SquareCrop, read_pixels, shared_pixels


def positions_of_classes(source: ImageSource, only: tuple[str, ...]) -> NDArray[np.int64]:
    """Positions of the images of these classes; of all images where no class is named.

    Raises:
        InputError: no image has one of the classes.
    """
    if not only:
        return np.arange(len(source))
    categories = read_classes(source)
    missing = [name for name in only if name not in set(categories)]
    if missing:
        known = ", ".join(sorted({name for name in categories if name is not None})[:20])
        raise InputError(
            f"{source.where}: no class named {', '.join(missing)}; the classes are "
            f"{known or 'none: all images lie in one folder or have one label'}."
        )
    return np.array([i for i, name in enumerate(categories) if name in only], np.int64)


def balanced_positions(source: ImageSource, limit: int) -> NDArray[np.int64]:
    """Positions, ascending, of the first limit/classes images of each class.

    Raises:
        InputError: there are fewer images.
    """
    if limit > len(source):
        raise InputError(
            f"{source.where}: limit: expected at least {limit:,} images, there are {len(source):,}."
        )
    categories = [name or "" for name in read_classes(source)]
    names, labels = np.unique(np.array(categories, dtype=str), return_inverse=True)
    share = np.full(len(names), limit // len(names))
    share[: limit % len(names)] += 1
    parts = [np.flatnonzero(labels == label)[:count] for label, count in enumerate(share)]
    chosen = np.sort(np.concatenate(parts))
    if len(chosen) < limit:
        raise InputError(
            f"{source.where}: limit: expected {limit:,} images balanced over {len(names)} classes, "
            f"but some have fewer than {share[0]:,}."
        )
    return chosen.astype(np.int64)


def read_labels(
    source: ImageSource, positions: list[int], *, required: bool
) -> tuple[NDArray[np.int64] | None, tuple[str, ...]]:
    """Labels int64 [len(positions)] and the names of the classes; (None, ()) if no image has one.

    Raises:
        InputError: some images have a class and some do not, or classes are required.
    """
    names = read_classes(source)
    categories = [names[position] for position in positions]
    without = next((i for i, name in enumerate(categories) if name is None), None)
    if without is not None:
        if not required:
            if not any(categories):
                return None, ()
            raise InputError(
                f"{source.where}: some images lie in folders, which are their classes, and some do "
                f"not ({source.id(positions[without])}). Put every image in the folder of its "
                "class, or all of them in none."
            )
        raise InputError(
            f"{source.describe(positions[without])}: has no class. Expected every image in the "
            "folder of its class, of two classes or more, or a column of labels."
        )
    classes, labels = np.unique(np.array(categories, dtype=str), return_inverse=True)
    return labels.astype(np.int64), tuple(classes.tolist())


@dataclass(frozen=True, kw_only=True)
class TrainingImages:
    """The images that a model is trained on, in a fixed order.

    Attributes:
        pixels: uint8 [n, 3, H, H], C-contiguous.
        labels: int64 [n], the index of each image's class in `classes`; None if classes were not
            asked for, or there are none.
        classes: names of the classes, sorted.
        ids: each image's id in its source.
        name: of the source.
        duplicates: how many images repeat an earlier one to the last bit of the pixels; they are
            among the images unless duplicates were dropped.
        notes: sentences on the images that users must know.
    """

    pixels: NDArray[np.uint8]
    labels: NDArray[np.int64] | None
    classes: tuple[str, ...]
    ids: tuple[str, ...]
    name: str
    duplicates: int
    notes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.pixels)

    @property
    def size(self) -> int:
        """Height and width."""
        return int(self.pixels.shape[2])

    @property
    def digest(self) -> str:
        """Hash of pixels and labels in their order, 32 hexadecimal digits."""
        hashed = blake2b(f"{self.pixels.shape} {self.classes}".encode(), digest_size=16)
        hashed.update(self.pixels.data)
        if self.labels is not None:
            hashed.update(np.ascontiguousarray(self.labels).data)
        return hashed.hexdigest()


def load_training_images(
    source: Any, selection: ImageSelection | None = None, *, progress: Progress | None = None
) -> TrainingImages:
    """Read a source of images into memory, all of it or a selection.

    Args:
        source: whatever `open_images` takes, or a reference of small images.
        selection: which images, and at which size; its `train` is ignored. None: all, as they are.
        progress: called with the number of images read.

    Raises:
        InputError: no images, fewer than the limit, images of several sizes without a size, or an
            image without a class though classes were asked for.
    """
    how = selection or ImageSelection()
    with _opened(source) as images:
        order = _draw_order(images, how)
        crop = SquareCrop(how.size)
        parts, positions, duplicates, broken = _read_selected(images, order, crop, how, progress)
        labels, names = None, ()
        if how.classes:
            labels, names = read_labels(images, positions, required=True)
        return TrainingImages(
            pixels=np.ascontiguousarray(np.concatenate(parts).transpose(0, 3, 1, 2)),
            labels=labels,
            classes=names,
            ids=tuple(images.id(position) for position in positions),
            name=images.name,
            duplicates=duplicates,
            notes=(
                *_notes(duplicates, how.drop_duplicates, broken, len(crop.cropped)),
                *side_file_notes(images),
            ),
        )


@contextmanager
def _opened(source: Any) -> Iterator[ImageSource]:
    """A source of images, or a reference that has all pixels; closed unless it came opened."""
    opened = open_training_images(source)
    try:
        yield opened
    finally:
        if opened is not source:
            opened.close()


def _draw_order(source: ImageSource, selection: ImageSelection) -> NDArray[np.int64]:
    """Positions of the images to choose from, in the order in which they are drawn.

    Raises:
        InputError: there are fewer than the limit.
    """
    only, limit = selection.only, selection.limit
    order = positions_of_classes(source, only)
    if limit is None:
        return order
    if limit > len(order):
        place = f" in {', '.join(only)}" if only else ""
        raise InputError(
            f"{source.where}: expected at least {limit:,} images{place}, found {len(order):,}. Ask "
            "for fewer, or give more images."
        )
    return np.random.default_rng(selection.seed).permutation(order)


def _read_selected(
    source: ImageSource,
    order: NDArray[np.int64],
    crop: SquareCrop,
    selection: ImageSelection,
    progress: Progress | None,
) -> tuple[list[NDArray[np.uint8]], list[int], int, int]:
    """The first usable images of `order`, as many as are wanted.

    Returns:
        Their pixels uint8 [·, H, H, 3] in parts, their positions, and how many images repeat an
        earlier one and how many cannot be read.

    Raises:
        InputError: there are fewer than the limit, or none.
    """
    wanted = len(order) if selection.limit is None else selection.limit
    seen: set[bytes] = set()
    parts: list[NDArray[np.uint8]] = []
    selected: list[int] = []
    duplicates = broken = used = 0
    while len(selected) < wanted and used < len(order):
        chosen = order[used : used + wanted - len(selected)]
        used += len(chosen)
        for positions, images in read_pixels(
            source, chosen, crop, skip_broken=selection.skip_broken, progress=progress
        ):
            repeats = np.array([not _is_new(image, seen) for image in images])
            duplicates += int(repeats.sum())
            use = ~repeats if selection.drop_duplicates else np.ones(len(images), bool)
            parts.append(images[use])
            selected.extend(positions[use].tolist())
        broken = used - len(selected) - (duplicates if selection.drop_duplicates else 0)
    minimum = selection.limit or 1
    if len(selected) < minimum:
        raise InputError(
            f"{source.where}: expected at least {minimum:,} images, found {len(selected):,} "
            f"besides {duplicates:,} duplicates and {broken:,} that cannot be read."
        )
    return parts, selected, duplicates, broken


def load_shared_images(
    source: Any, *, size: int, limit: int | None = None, progress: Progress | None = None
) -> TrainingImages:
    """Read images into the cache once, and memory-map them in every process and later run.

    Labels are read if the images have classes.

    Args:
        source: whatever `open_images` takes, or a reference of small images.
        size: side to which the images' central squares are resized.
        limit: number of images, balanced over classes, the first of each; None: all.
        progress: called with the number of images read, the first time.

    Raises:
        InputError: no images, fewer than `limit` or than an equal share in some class, or some
            images with a class and some without.
        UsageError: the cache folder cannot be written.
    """
    with _opened(source) as opened:
        order = np.arange(len(opened))
        if not len(order):
            raise InputError(f"{opened.where}: expected images, found none.")
        if limit is not None:
            order = balanced_positions(opened, limit)
        labels, names = read_labels(opened, order.tolist(), required=False)
        pixels, cropped = shared_pixels(opened, order, size, progress=progress)
        duplicates = count_repeats(pixels)
        return TrainingImages(
            pixels=pixels,
            labels=labels,
            classes=names,
            ids=tuple(opened.id(position) for position in order.tolist()),
            name=opened.name,
            duplicates=duplicates,
            notes=(*_notes(duplicates, None, 0, cropped), *side_file_notes(opened)),
        )


def in_classes_of(images: TrainingImages, train: TrainingImages) -> TrainingImages:
    """Held-out images with the label numbers of the training images.

    They have no labels if either set has no classes.

    Raises:
        InputError: a class that the training images lack.
    """
    if images.labels is None or train.labels is None:
        return replace(images, labels=None, classes=())
    unknown = sorted(set(images.classes) - set(train.classes))
    if unknown:
        raise InputError(
            f"{images.name}: class {unknown[0]!r} is not among the training images' "
            f"({', '.join(train.classes)})."
        )
    numbers = np.array([train.classes.index(name) for name in images.classes], np.int64)
    return replace(images, labels=numbers[images.labels], classes=train.classes)


def image_key(image: NDArray[np.uint8]) -> bytes:
    """A key that is equal for images that are equal to the last bit, and only for those."""
    return blake2b(np.ascontiguousarray(image).data, digest_size=16).digest()


def _is_new(image: NDArray[np.uint8], seen: set[bytes]) -> bool:
    key = image_key(image)
    if key in seen:
        return False
    seen.add(key)
    return True


def count_repeats(pixels: NDArray[np.uint8]) -> int:
    """The number of images, uint8 [n, 3, H, W], that repeat an earlier one."""
    seen: set[bytes] = set()
    return sum(not _is_new(image, seen) for image in pixels)


def _notes(duplicates: int, dropped: bool | None, broken: int, cropped: int) -> tuple[str, ...]:
    """Sentences on the images; `dropped`: the duplicates are, None if they cannot be."""
    notes = []
    if duplicates:
        repeats = f"{count(duplicates, 'image')} {'repeats' if duplicates == 1 else 'repeat'}"
        note = f"{repeats} an earlier one"
        if dropped:
            note += f" and {_were(duplicates)} left out."
        else:
            note += ": duplicates are learned more readily, and the set is smaller than it seems."
        if dropped is False:
            note += " Repeats can be left out (--drop-duplicates)."
        notes.append(note)
    notes += broken_file_notes(broken)
    if cropped:
        images = f"{count(cropped, 'image')} {_were(cropped)} not square"
        notes.append(f"{images}: {'its' if cropped == 1 else 'their'} central square was taken.")
    return tuple(notes)


def _were(number: int) -> str:
    return "was" if number == 1 else "were"
