"""In which forms the training images are compared, in each space."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from genmem.errors import UsageError
from genmem.images import Transformation, transformations


def augmented(
    augment: Sequence[str], backbones: Sequence[str]
) -> tuple[tuple[Transformation, ...], dict[str, NDArray[np.int64]]]:
    """All forms, the image as it is first; and which of them each space compares.

    Args:
        augment: "FAMILY" for all spaces, or "SPACE:FAMILY" for one of them.
        backbones: the spaces.

    Returns:
        the forms, and int64 places among them by space.

    Raises:
        UsageError: an unknown family, one named twice, or a space that is not among `backbones`.
    """
    wanted: dict[str, list[str]] = {space: [] for space in backbones}
    for item in augment:
        space, colon, family = item.rpartition(":")
        if colon and space not in wanted:
            raise UsageError(
                f"augment: {item} names the space {space!r}; expected one of "
                f"{', '.join(backbones)}."
            )
        for name in [space] if colon else backbones:
            wanted[name].append(family)
    by_space = {space: transformations(families) for space, families in wanted.items()}
    families = dict.fromkeys(item.rpartition(":")[2] for item in augment)
    every = transformations(list(families))
    places = {
        space: np.array([every.index(form) for form in forms], dtype=np.int64)
        for space, forms in by_space.items()
    }
    return every, places
