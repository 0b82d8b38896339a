"""The training set of one training: nested subsets by seed, of some classes, of one or two sources.

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
from genmem.formatting import count as count_of
from genmem.images import Progress, open_images
from genmem.images.hashing import hash_images
from genmem.training.common.dataset import (
    TrainingImages,
    count_repeats,
    image_key,
    load_training_images,
)
from genmem.training.emm.factors import Configuration


@dataclass(frozen=True, kw_only=True)
class Source:
    """Where training images come from.

    Attributes:
        given: what the user named: a folder, an archive, ….
        name: the last part of it.
        count: how many images there are.
        classes: names of their classes, sorted; empty where there are none.
        digest: hash of all images, names, labels and their order, 32 hexadecimal digits.
    """

    given: Any
    name: str
    count: int
    classes: tuple[str, ...]
    digest: str


def look_at(given: Any, *, progress: Progress | None = None) -> Source:
    """Find out what a source holds, without decoding an image.

    Raises:
        InputError: it cannot be opened or holds no images.
    """
    with open_images(given) as opened:
        hashed = blake2b(hash_images(opened, progress=progress).hexdigest.encode(), digest_size=16)
        categories = set()
        for position in range(len(opened)):
            name, category = opened.id(position), opened.class_name(position)
            hashed.update(name.encode("utf-8", "surrogateescape") + b"\0")
            if category is not None and not name.startswith(f"{category}/"):
                hashed.update(b"\1" + category.encode("utf-8", "surrogateescape") + b"\0")
            categories.add(category)
        named = sorted(name for name in categories if name is not None)
        return Source(
            given=given,
            name=opened.name,
            count=len(opened),
            classes=() if None in categories else tuple(named),
            digest=hashed.hexdigest(),
        )


def training_images(
    source: Source,
    second: Source | None,
    configuration: Configuration,
    *,
    count: int,
    seed: int,
    without_duplicates: bool,
    progress: Progress | None = None,
) -> TrainingImages:
    """The `count` images that a training of this configuration and seed sees.

    Args:
        source: the images.
        second: a second source, for a configuration with a share of it.
        configuration: says side, number of classes and share of the second source.
        count: |D|.
        seed: of the choice; smaller counts give subsets.
        without_duplicates: leave out images that repeat an earlier one, of the first source too;
            others are drawn instead. (Of two sources with images in common, smaller sets are
            subsets of larger ones but for those.)
        progress: told how many images are read.

    Raises:
        InputError: too few images, not square, or without the classes that are asked for.
        UsageError: a share of a second source without one.
    """
    from_second = round(configuration.second_share * count)
    if from_second and second is None:
        raise UsageError("diversity: expected a second source of images to take a share from.")

    def load(part: Source, wanted: int) -> TrainingImages:
        return load_training_images(
            part.given,
            size=configuration.size,
            limit=wanted,
            seed=seed,
            classes=configuration.training.label_kind == "true",
            only=_chosen_classes(part, configuration.classes, seed),
            drop_duplicates=without_duplicates,
            progress=progress,
        )

    if second is None or not from_second:
        return load(source, count)
    if from_second == count:
        return load(second, count)
    first, other = load(source, count - from_second), load(second, from_second)
    repeats = _repeats(first, other)
    if not without_duplicates:
        return _joined(first, other, repeats)
    asked = from_second
    while len(other) - len(repeats) < from_second:
        asked += from_second - (len(other) - len(repeats))
        other = load(second, asked)
        repeats = _repeats(first, other)
    new = np.setdiff1d(np.arange(len(other)), repeats)[:from_second]
    return _joined(first, _chosen(other, new), repeats[repeats < new[-1]], left_out=True)


def _repeats(first: TrainingImages, second: TrainingImages) -> NDArray[np.int64]:
    """Positions of the second's images that are among the first's, to the last bit; ascending."""
    there = {image_key(image) for image in first.pixels}
    return np.array([n for n, one in enumerate(second.pixels) if image_key(one) in there], np.int64)


def _chosen(images: TrainingImages, positions: NDArray[np.int64]) -> TrainingImages:
    return replace(
        images,
        pixels=images.pixels[positions],
        labels=None if images.labels is None else images.labels[positions],
        ids=tuple(images.ids[position] for position in positions.tolist()),
    )


def _chosen_classes(source: Source, count: int | None, seed: int) -> tuple[str, ...]:
    """Names of `count` classes, drawn by the seed; fewer are a subset of more. Empty: all."""
    if count is None:
        return ()
    if count > len(source.classes):
        found = f"{len(source.classes)}" if source.classes else "no classes"
        raise InputError(
            f"{source.name}: expected at least {count} classes (first-level folders, or labels), "
            f"found {found}."
        )
    order = np.random.default_rng([seed, 4]).permutation(len(source.classes))
    return tuple(source.classes[number] for number in sorted(order[:count].tolist()))


def _joined(
    first: TrainingImages,
    second: TrainingImages,
    repeats: NDArray[np.int64],
    *,
    left_out: bool = False,
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
        duplicates=duplicates if left_out else count_repeats(pixels),
        notes=first.notes + second.notes + _notes(first, second, len(repeats), left_out),
    )


def _notes(
    first: TrainingImages, second: TrainingImages, repeats: int, left_out: bool
) -> tuple[str, ...]:
    if not repeats:
        return ()
    verb = "is" if repeats == 1 else "are"
    said = f"{count_of(repeats, 'image')} of {second.name} {verb} in {first.name} too"
    if left_out:
        return (f"{said} and {'was' if repeats == 1 else 'were'} left out.",)
    return (f"{said}: learnt more readily. They can be left out (without_duplicates).",)
