"""The training set of a trial: nested subsets by seed, of some classes, of one or two sources.

Smaller sets of one seed are subsets of larger ones, so that a seed's curve of ratio against |D|
is that of one growing set.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray

from genmem.errors import InputError, UsageError
from genmem.formatting import count
from genmem.images import Progress, read_classes
from genmem.images.hashing import hash_images
from genmem.reference.stored_images import open_training_images
from genmem.training.common.config import ImageSelection
from genmem.training.common.dataset import (
    TrainingImages,
    count_repeats,
    image_key,
    load_training_images,
)
from genmem.training.emm.factors import TrialConfig


@dataclass(frozen=True, kw_only=True)
class SourceInfo:
    """A source of training images.

    Attributes:
        location: what the user named: a folder, an archive, ….
        name: the last part of it.
        count: how many images there are.
        classes: names of their classes, sorted; empty where there are none.
        digest: hash of all images, names, labels and their order, 32 hexadecimal digits.
    """

    location: Any
    name: str
    count: int
    classes: tuple[str, ...]
    digest: str


def inspect_source(location: Any, *, progress: Progress | None = None) -> SourceInfo:
    """Count and hash the images of a source, without decoding them.

    Args:
        location: a folder, an archive, … (see `open_training_images`).
        progress: told how many images are hashed.

    Raises:
        InputError: it cannot be opened or holds no images.
    """
    with open_training_images(location) as source:
        content = blake2b(hash_images(source, progress=progress).hexdigest.encode(), digest_size=16)
        names = read_classes(source)
        for position in range(len(source)):
            name, category = source.id(position), names[position]
            content.update(name.encode("utf-8", "surrogateescape") + b"\0")
            if category is not None and not name.startswith(f"{category}/"):
                content.update(b"\1" + category.encode("utf-8", "surrogateescape") + b"\0")
        return SourceInfo(
            location=location,
            name=source.name,
            count=len(source),
            classes=() if None in names else tuple(sorted(set(filter(None, names)))),
            digest=content.hexdigest(),
        )


def refuse_changed_source(source: SourceInfo, *, progress: Progress | None = None) -> None:
    """Check that a source still holds the images that a study began with.

    Args:
        source: from `inspect_source`.
        progress: told how many images are hashed.

    Raises:
        InputError: it holds others, or cannot be opened.
    """
    now = inspect_source(source.location, progress=progress)
    if now.digest != source.digest:
        raise InputError(
            f"{source.name}: expected the {source.count:,} images that the study began with "
            f"(digest {source.digest[:8]}…), got {now.count:,} images with digest "
            f"{now.digest[:8]}…. Restore them, or start a new study in another folder."
        )


def load_trial_images(
    source: SourceInfo,
    second_source: SourceInfo | None,
    config: TrialConfig,
    *,
    size: int,
    seed: int,
    drop_duplicates: bool,
    progress: Progress | None = None,
) -> TrainingImages:
    """The |D| images that a trial of this configuration and seed is trained on.

    Args:
        source: the images.
        second_source: more images, for a configuration that takes a share of them.
        config: says side, number of classes and share of the second source.
        size: |D|.
        seed: of the draw; smaller sizes give subsets.
        drop_duplicates: leave out images that repeat an earlier one, of the first source too;
            others are drawn instead. (Of two sources with images in common, smaller sets are
            subsets of larger ones but for those.)
        progress: told how many images are read.

    Raises:
        InputError: too few images, not square, or without the classes that are asked for.
        UsageError: a share of a second source without one.
    """
    from_second = round(config.second_share * size)
    if from_second and second_source is None:
        raise UsageError("diversity: expected a second source of images to take a share from.")

    def load(part: SourceInfo, limit: int) -> TrainingImages:
        return load_training_images(
            part.location,
            ImageSelection(
                size=config.side,
                limit=limit,
                seed=seed,
                classes=config.training.label_kind == "true",
                only=_draw_classes(part, config.classes, seed),
                drop_duplicates=drop_duplicates,
            ),
            progress=progress,
        )

    if second_source is None or not from_second:
        return load(source, size)
    if from_second == size:
        return load(second_source, size)
    first, second = load(source, size - from_second), load(second_source, from_second)
    repeats = _repeats(first, second)
    if not drop_duplicates:
        return _join(first, second, repeats)
    limit = from_second
    while len(second) - len(repeats) < from_second:
        limit += from_second - (len(second) - len(repeats))
        second = load(second_source, limit)
        repeats = _repeats(first, second)
    new = np.setdiff1d(np.arange(len(second)), repeats)[:from_second]
    return _join(first, _take(second, new), repeats[repeats < new[-1]], dropped=True)


def _repeats(first: TrainingImages, second: TrainingImages) -> NDArray[np.int64]:
    """Positions of the second's images that are among the first's, to the last bit; ascending."""
    keys = {image_key(image) for image in first.pixels}
    return np.flatnonzero([image_key(image) in keys for image in second.pixels])


def _take(images: TrainingImages, positions: NDArray[np.int64]) -> TrainingImages:
    return replace(
        images,
        pixels=images.pixels[positions],
        labels=None if images.labels is None else images.labels[positions],
        ids=tuple(images.ids[position] for position in positions.tolist()),
    )


def _draw_classes(source: SourceInfo, number: int | None, seed: int) -> tuple[str, ...]:
    """Names of `number` classes, drawn by the seed; fewer are a subset of more. Empty: all."""
    if number is None:
        return ()
    if number > len(source.classes):
        available = f"{len(source.classes)}" if source.classes else "no classes"
        raise InputError(
            f"{source.name}: expected at least {number} classes (a folder each, or labels), found "
            f"{available}."
        )
    order = np.random.default_rng([seed, 4]).permutation(len(source.classes))
    return tuple(source.classes[place] for place in sorted(order[:number].tolist()))


def _join(
    first: TrainingImages,
    second: TrainingImages,
    repeats: NDArray[np.int64],
    *,
    dropped: bool = False,
) -> TrainingImages:
    """Two sets as one, with the union of their classes; `repeats` are in both, or were."""
    classes = tuple(sorted({*first.classes, *second.classes}))
    labels = None
    if first.labels is not None and second.labels is not None:
        labels = np.concatenate(
            [
                np.array([classes.index(name) for name in part.classes], np.int64)[part.labels]
                for part in (first, second)
                if part.labels is not None
            ]
        )
    pixels = np.concatenate([first.pixels, second.pixels])
    duplicates = first.duplicates + second.duplicates + len(repeats)
    return replace(
        first,
        pixels=pixels,
        labels=labels,
        classes=classes,
        ids=first.ids + second.ids,
        name=f"{first.name} and {second.name}",
        duplicates=duplicates if dropped else count_repeats(pixels),
        notes=first.notes + second.notes + _notes(first, second, len(repeats), dropped),
    )


def _notes(
    first: TrainingImages, second: TrainingImages, repeats: int, dropped: bool
) -> tuple[str, ...]:
    if not repeats:
        return ()
    verb = "is" if repeats == 1 else "are"
    note = f"{count(repeats, 'image')} of {second.name} {verb} in {first.name} too"
    if dropped:
        return (f"{note} and {'was' if repeats == 1 else 'were'} left out.",)
    return (f"{note} and are learned more readily. They can be left out (--drop-duplicates).",)
