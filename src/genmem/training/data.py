"""Training images in memory: decoded, resized, counted out, their duplicates found."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from genmem.errors import InputError, UsageError
from genmem.images import ImageSource, Progress, Transform, open_images, read_batches

_BATCH = 512


@dataclass(frozen=True, kw_only=True)
class TrainingImages:
    """The images a model is trained on, in the order in which they are numbered.

    Attributes:
        pixels: uint8 [n, 3, H, H], C-contiguous.
        labels: int64 [n], each image's place in `classes`; None where classes were not asked for.
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
    classes: bool = False,
    only: Sequence[str] = (),
    without_duplicates: bool = False,
    skip_broken: bool = False,
    progress: Progress | None = None,
) -> TrainingImages:
    """Read a source of images into memory.

    Args:
        source: whatever `open_images` takes.
        size: side to which images are resized (Lanczos, as "On Memorization in Diffusion Models"
            makes its small images); None: as they are.
        count: how many images, drawn by `seed`; smaller counts of one seed are subsets of larger
            ones. None: all, in the source's order.
        seed: of the draw.
        classes: ask for each image's class: its first-level folder or its label.
        only: names of classes to which the choice is limited; empty: all.
        without_duplicates: leave out images that repeat an earlier one (others are drawn instead).
        skip_broken: leave out files that are no images and images that cannot be decoded.
        progress: told how many images are read.

    Raises:
        InputError: no images, fewer than `count`, not square, of several sizes, or without a class
            though classes were asked for.
        UsageError: `size` or `count` is below 1.
    """
    for name, value in {"size": size, "count": count}.items():
        if value is not None and value < 1:
            raise UsageError(f"{name}: expected at least 1, got {value}.")
    opened = open_images(source)
    try:
        return _load(
            opened,
            size=size,
            count=count,
            seed=seed,
            classes=classes,
            only=tuple(only),
            without_duplicates=without_duplicates,
            skip_broken=skip_broken,
            progress=progress,
        )
    finally:
        if opened is not source:
            opened.close()


def _load(
    source: ImageSource,
    *,
    size: int | None,
    count: int | None,
    seed: int,
    classes: bool,
    only: tuple[str, ...],
    without_duplicates: bool,
    skip_broken: bool,
    progress: Progress | None,
) -> TrainingImages:
    order = _eligible(source, only)
    wanted = len(order) if count is None else count
    if wanted > len(order):
        of = f" in {', '.join(only)}" if only else ""
        raise InputError(
            f"{source.where}: expected at least {wanted:,} images{of}, found {len(order):,}. Ask "
            "for fewer, or give more images."
        )
    if count is not None:
        order = np.random.default_rng(seed).permutation(order)
    seen: set[bytes] = set()
    parts: list[NDArray[np.uint8]] = []
    kept: list[int] = []
    duplicates = broken = used = 0
    while len(kept) < wanted and used < len(order):
        chosen = order[used : used + wanted - len(kept)]
        used += len(chosen)
        for positions, images in _read(source, chosen, size, skip_broken, progress):
            _refuse_other_size(source, images, parts, int(positions[0]))
            repeats = np.array([not _is_new(image, seen) for image in images])
            duplicates += int(repeats.sum())
            use = ~repeats if without_duplicates else np.ones(len(images), bool)
            parts.append(images[use])
            kept.extend(positions[use].tolist())
        broken = used - len(kept) - (duplicates if without_duplicates else 0)
    if not kept or (count is not None and len(kept) < count):
        raise InputError(
            f"{source.where}: expected at least {max(wanted, 1):,} images, found {len(kept):,} "
            f"besides {duplicates:,} duplicates and {broken:,} that cannot be read."
        )
    labels, names = _classes(source, kept) if classes else (None, ())
    return TrainingImages(
        pixels=np.ascontiguousarray(np.concatenate(parts).transpose(0, 3, 1, 2)),
        labels=labels,
        classes=names,
        ids=tuple(source.id(position) for position in kept),
        name=source.name,
        duplicates=duplicates,
        notes=_notes(duplicates, without_duplicates, broken),
    )


def _eligible(source: ImageSource, only: tuple[str, ...]) -> NDArray[np.int64]:
    if not only:
        return np.arange(len(source))
    categories = [source.category(position) for position in range(len(source))]
    missing = [name for name in only if name not in set(categories)]
    if missing:
        known = ", ".join(sorted({name for name in categories if name is not None})[:20])
        raise InputError(
            f"{source.where}: no class named {', '.join(missing)}; the classes are "
            f"{known or 'none, for there are no first-level folders and no labels'}."
        )
    return np.array([i for i, name in enumerate(categories) if name in only], np.int64)


class _Chosen(ImageSource):
    """Some of the entries of a source, in a given order."""

    def __init__(self, source: ImageSource, positions: NDArray[np.int64]) -> None:
        self.name, self.where = source.name, source.where
        self.stranger_count, self.first_stranger = source.stranger_count, source.first_stranger
        self._source, self._positions = source, positions

    def __len__(self) -> int:
        return len(self._positions)

    def id(self, position: int) -> str:
        return self._source.id(int(self._positions[position]))

    def content(self, position: int) -> bytes | NDArray[np.uint8]:
        return self._source.content(int(self._positions[position]))


def _read(
    source: ImageSource,
    chosen: NDArray[np.int64],
    size: int | None,
    skip_broken: bool,
    progress: Progress | None,
) -> Any:
    """Positions in `source` and pixels [b, H, H, 3] of the chosen images, a batch at a time."""
    view = _Chosen(source, chosen)
    done = 0
    for batch in read_batches(
        view, transform=_squared(size), batch_size=_BATCH, skip_broken=skip_broken
    ):
        if len(batch.positions):
            if batch.array.shape[1] != batch.array.shape[2]:
                height, width = batch.array.shape[1:3]
                raise InputError(
                    f"{view.describe(int(batch.positions[0]))}: expected square images, got "
                    f"{width} × {height} (width × height). Crop them first."
                )
            yield chosen[batch.positions], batch.array
        done += len(batch.positions) + len(batch.broken)
        if progress:
            progress(f"reading {source.name}", done, len(chosen))


def _squared(size: int | None) -> Transform:
    """Resizes square images to `size`; others are left for the caller to refuse."""

    def transform(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
        height, width = pixels.shape[:2]
        if size is None or height != width or height == size:
            return pixels
        resized = Image.fromarray(pixels).resize((size, size), Image.Resampling.LANCZOS)
        return np.asarray(resized)

    return transform


def _refuse_other_size(
    source: ImageSource, images: NDArray[np.uint8], parts: list[NDArray[np.uint8]], first: int
) -> None:
    if parts and images.shape[1:] != parts[0].shape[1:]:
        raise InputError(
            f"{source.describe(first)}: expected {parts[0].shape[1]} pixels a side, as before, got "
            f"{images.shape[1]}. Give a size that all images are resized to."
        )


def _is_new(image: NDArray[np.uint8], seen: set[bytes]) -> bool:
    key = blake2b(np.ascontiguousarray(image).data, digest_size=16).digest()
    if key in seen:
        return False
    seen.add(key)
    return True


def _classes(source: ImageSource, kept: list[int]) -> tuple[NDArray[np.int64], tuple[str, ...]]:
    categories = [source.category(position) for position in kept]
    without = next((i for i, name in enumerate(categories) if name is None), None)
    if without is not None:
        raise InputError(
            f"{source.describe(kept[without])}: has no class. Expected every image in a "
            "first-level folder, or a column of labels."
        )
    names, labels = np.unique(np.array(categories, dtype=str), return_inverse=True)
    return labels.astype(np.int64), tuple(names.tolist())


def _notes(duplicates: int, left_out: bool, broken: int) -> tuple[str, ...]:
    notes = []
    if duplicates and left_out:
        notes.append(f"{duplicates:,} images repeat an earlier one and were left out.")
    elif duplicates:
        notes.append(
            f"{duplicates:,} images repeat an earlier one: they are learnt more readily, and the "
            "set counts as larger than it is. They can be left out (without_duplicates)."
        )
    if broken:
        notes.append(f"{broken:,} files that cannot be read as images were left out.")
    return tuple(notes)
