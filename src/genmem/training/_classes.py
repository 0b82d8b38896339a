"""Which images of a source to take, and what classes they are of."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from genmem.errors import InputError
from genmem.images import ImageSource


def eligible(source: ImageSource, only: tuple[str, ...]) -> NDArray[np.int64]:
    """Positions of the images of these classes, of all where none is named.

    Raises:
        InputError: a class that there is not.
    """
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


def evenly(source: ImageSource, limit: int) -> NDArray[np.int64]:
    """Positions, ascending, of the first limit/classes images of each class.

    Raises:
        InputError: there are not as many.
    """
    if limit > len(source):
        raise InputError(
            f"{source.where}: limit: asked for {limit:,} images, there are {len(source):,}."
        )
    categories = [source.category(position) or "" for position in range(len(source))]
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
    categories = [source.category(position) for position in kept]
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
