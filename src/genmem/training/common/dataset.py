"""Training images in memory: decoded, cropped, resized, counted out, their duplicates found.

Every training takes its images from here: an image becomes its central square, resized by Lanczos
(as "On Memorization in Diffusion Models" makes its small images), the same for every model.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genmem.errors import InputError, UsageError
from genmem.images import ImageSource, Progress, open_images
from genmem.training.common.pixel_cache import Fitting, read_pixels, shared_pixels


def eligible(source: ImageSource, only: tuple[str, ...]) -> NDArray[np.int64]:
    """Positions of the images of these classes, of all where none is named.

    Raises:
        InputError: a class that there is not.
    """
    if not only:
        return np.arange(len(source))
    categories = [source.class_name(position) for position in range(len(source))]
    missing = [name for name in only if name not in set(categories)]
    if missing:
        known = ", ".join(sorted({name for name in categories if name is not None})[:20])
        raise InputError(
            f"{source.where}: no class named {', '.join(missing)}; the classes are "
            f"{known or 'none, for there are no first-level folders and no labels'}."
        )
    return np.array([i for i, name in enumerate(categories) if name in only], np.int64)


def evenly(source: ImageSource, limit: int) -> NDArray[np.int64]:
    """Positions, ascending, of the first limit/classes images of each class.

    Raises:
        InputError: there are not as many.
    """
    if limit > len(source):
        raise InputError(
            f"{source.where}: limit: asked for {limit:,} images, there are {len(source):,}."
        )
    categories = [source.class_name(position) or "" for position in range(len(source))]
    names, labels = np.unique(np.array(categories, dtype=str), return_inverse=True)
    share = np.full(len(names), limit // len(names))
    share[: limit % len(names)] += 1
    parts = [np.flatnonzero(labels == label)[:count] for label, count in enumerate(share)]
    chosen = np.sort(np.concatenate(parts))
    if len(chosen) < limit:
        raise InputError(
            f"{source.where}: limit: asked for {limit:,} images, evenly of {len(names)} classes, "
            f"but some have fewer than {share[0]:,}."
        )
    return chosen.astype(np.int64)


def classes_of(
    source: ImageSource, kept: list[int], *, needed: bool
) -> tuple[NDArray[np.int64] | None, tuple[str, ...]]:
    """Labels int64 [len(kept)] and the names they number; (None, ()) where no image has a class.

    Raises:
        InputError: some have none and some do, or all have none though classes are needed.
    """
    categories = [source.class_name(position) for position in kept]
    without = next((i for i, name in enumerate(categories) if name is None), None)
    if without is not None:
        if not needed:
            if not any(categories):
                return None, ()
            raise InputError(
                f"{source.where}: some images lie in folders, which are their classes, and some do "
                f"not ({source.id(kept[without])}). Put every image in the folder of its class, or "
                "all of them in none."
            )
        raise InputError(
            f"{source.describe(kept[without])}: has no class. Expected every image in a "
            "first-level folder, or a column of labels."
        )
    names, labels = np.unique(np.array(categories, dtype=str), return_inverse=True)
    return labels.astype(np.int64), tuple(names.tolist())


@dataclass(frozen=True, kw_only=True)
class TrainingImages:
    """The images a model is trained on, in the order in which they are numbered.

    Attributes:
        pixels: uint8 [n, 3, H, H], C-contiguous.
        labels: int64 [n], each image's place in `classes`; None where classes were not asked for,
            or there are none.
        classes: names of the classes, sorted.
        ids: each image's id in its source.
        name: the last part of what was given.
        duplicates: how many images repeat an earlier one to the last bit of the pixels; left out
            where that was asked for, else still among the images.
        notes: sentences about the set that whoever trains on it must know.
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
    source: Any,
    *,
    size: int | None = None,
    count: int | None = None,
    seed: int = 0,
    classes: bool | None = False,
    only: Sequence[str] = (),
    without_duplicates: bool = False,
    skip_broken: bool = False,
    progress: Progress | None = None,
) -> TrainingImages:
    """Read a source of images into memory, all of it or a draw from it.

    Args:
        source: whatever `open_images` takes.
        size: side to which the images' central squares are resized; None: as they are.
        count: how many images, drawn by `seed`; smaller counts of one seed are subsets of larger
            ones. None: all, in the source's order.
        seed: of the draw.
        classes: ask for each image's class: its first-level folder or its label. None: where there
            are any.
        only: names of classes to which the choice is limited; empty: all.
        without_duplicates: leave out images that repeat an earlier one (others are drawn instead).
        skip_broken: leave out files that are no images and images that cannot be decoded.
        progress: told how many images are read.

    Raises:
        InputError: no images, fewer than `count`, of several sizes though no size was given, or
            without a class though classes were asked for.
        UsageError: `size` or `count` is below 1.
    """
    for name, value in {"size": size, "count": count}.items():
        if value is not None and value < 1:
            raise UsageError(f"{name}: expected at least 1, got {value}.")
    opened = open_images(source)
    try:
        order = eligible(opened, tuple(only))
        wanted = len(order) if count is None else count
        if wanted > len(order):
            of = f" in {', '.join(only)}" if only else ""
            raise InputError(
                f"{opened.where}: expected at least {wanted:,} images{of}, found {len(order):,}. "
                "Ask for fewer, or give more images."
            )
        if count is not None:
            order = np.random.default_rng(seed).permutation(order)
        return _load(
            opened,
            order,
            wanted,
            size=size,
            classes=classes,
            enough=count or 1,
            without_duplicates=without_duplicates,
            skip_broken=skip_broken,
            progress=progress,
        )
    finally:
        if opened is not source:
            opened.close()


def load_shared_images(
    source: Any, *, size: int, limit: int | None = None, progress: Progress | None = None
) -> TrainingImages:
    """Read images into the cache once, and map them from there in every process and later run.

    Labels are there where the images have classes.

    Args:
        source: whatever `open_images` takes.
        size: side to which the images' central squares are resized.
        limit: so many images, evenly of all classes, the first of each; None: all.
        progress: told how many images are read, the first time.

    Raises:
        InputError: no images, fewer than `limit` or than an even share in some class, or some in a
            class and some in none.
        UsageError: the cache folder cannot be written.
    """
    opened = open_images(source)
    try:
        order = np.arange(len(opened))
        if not len(order):
            raise InputError(f"{opened.where}: expected images, found none.")
        if limit is not None:
            order = evenly(opened, limit)
        labels, names = classes_of(opened, order.tolist(), needed=False)
        pixels, cropped = shared_pixels(opened, order, size, progress=progress)
        duplicates = count_repeats(pixels)
        return TrainingImages(
            pixels=pixels,
            labels=labels,
            classes=names,
            ids=tuple(opened.id(position) for position in order.tolist()),
            name=opened.name,
            duplicates=duplicates,
            notes=_notes(duplicates, None, 0, cropped),
        )
    finally:
        if opened is not source:
            opened.close()


def in_classes_of(images: TrainingImages, train: TrainingImages) -> TrainingImages:
    """Held-out images with their labels numbered as the training images' are.

    Without classes on either side they have no labels.

    Raises:
        InputError: a class that the training images have not.
    """
    if images.labels is None or train.labels is None:
        return replace(images, labels=None, classes=())
    strange = sorted(set(images.classes) - set(train.classes))
    if strange:
        raise InputError(
            f"{images.name}: class {strange[0]!r} is not among the training images' "
            f"({', '.join(train.classes)})."
        )
    numbers = np.array([train.classes.index(name) for name in images.classes], np.int64)
    return replace(images, labels=numbers[images.labels], classes=train.classes)


def _load(
    source: ImageSource,
    order: NDArray[np.int64],
    wanted: int,
    *,
    size: int | None,
    classes: bool | None,
    enough: int,
    without_duplicates: bool,
    skip_broken: bool,
    progress: Progress | None,
) -> TrainingImages:
    """The first `wanted` images of `order` that can be used; an error below `enough`."""
    seen: set[bytes] = set()
    parts: list[NDArray[np.uint8]] = []
    kept: list[int] = []
    fitting = Fitting(size)
    duplicates = broken = used = 0
    while len(kept) < wanted and used < len(order):
        chosen = order[used : used + wanted - len(kept)]
        used += len(chosen)
        for positions, images in read_pixels(
            source, chosen, fitting, skip_broken=skip_broken, progress=progress
        ):
            repeats = np.array([not _is_new(image, seen) for image in images])
            duplicates += int(repeats.sum())
            use = ~repeats if without_duplicates else np.ones(len(images), bool)
            parts.append(images[use])
            kept.extend(positions[use].tolist())
        broken = used - len(kept) - (duplicates if without_duplicates else 0)
    if len(kept) < enough:
        raise InputError(
            f"{source.where}: expected at least {enough:,} images, found {len(kept):,} "
            f"besides {duplicates:,} duplicates and {broken:,} that cannot be read."
        )
    labels, names = (
        (None, ()) if classes is False else classes_of(source, kept, needed=classes is True)
    )
    return TrainingImages(
        pixels=np.ascontiguousarray(np.concatenate(parts).transpose(0, 3, 1, 2)),
        labels=labels,
        classes=names,
        ids=tuple(source.id(position) for position in kept),
        name=source.name,
        duplicates=duplicates,
        notes=_notes(duplicates, without_duplicates, broken, len(fitting.cropped)),
    )


def image_key(image: NDArray[np.uint8]) -> bytes:
    """The same for images that are equal to the last bit, and no others."""
    return blake2b(np.ascontiguousarray(image).data, digest_size=16).digest()


def _is_new(image: NDArray[np.uint8], seen: set[bytes]) -> bool:
    key = image_key(image)
    if key in seen:
        return False
    seen.add(key)
    return True


def count_repeats(pixels: NDArray[np.uint8]) -> int:
    """How many of uint8 [n, 3, H, W] images repeat an earlier one."""
    seen: set[bytes] = set()
    return sum(not _is_new(image, seen) for image in pixels)


def _notes(duplicates: int, left_out: bool | None, broken: int, cropped: int) -> tuple[str, ...]:
    """Sentences; `left_out`: the duplicates are, or None where that cannot be asked for."""
    notes = []
    repeat = "1 image repeats" if duplicates == 1 else f"{duplicates:,} images repeat"
    if duplicates and left_out:
        were = "was" if duplicates == 1 else "were"
        notes.append(f"{repeat} an earlier one and {were} left out.")
    elif duplicates:
        ending = "" if left_out is None else " Repeats can be left out (without_duplicates)."
        they = "it is" if duplicates == 1 else "they are"
        notes.append(
            f"{repeat} an earlier one: {they} learnt more readily, and the set counts as larger "
            f"than it is.{ending}"
        )
    if broken:
        were = "files that cannot be read as images were"
        if broken == 1:
            were = "file that cannot be read as an image was"
        notes.append(f"{broken:,} {were} left out.")
    if cropped:
        were = "images were not square: their" if cropped > 1 else "image was not square: its"
        notes.append(f"{cropped:,} {were} central square was taken.")
    return tuple(notes)
