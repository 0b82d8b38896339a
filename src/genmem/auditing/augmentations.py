"""In which forms the training images are compared, in each space."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from genmem.errors import UsageError
from genmem.images import AUGMENTATIONS, IDENTITY, Augmentation, parse_augmentations

AS_THEY_ARE = "as they are"

Families = Mapping[str, tuple[Augmentation, ...]]
"""Forms by family, the images as they are first. Each family is judged against its own null."""


def augmented(
    augment: Sequence[str], backbones: Sequence[str]
) -> tuple[tuple[Augmentation, ...], dict[str, Families]]:
    """All forms, the image as it is first; and the families that each space compares.

    Args:
        augment: "FAMILY" for all spaces, or "SPACE:FAMILY" for one of them.
        backbones: the spaces.

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
    every = parse_augmentations(list(dict.fromkeys(item.rpartition(":")[2] for item in augment)))
    return every, {space: families_named(names) for space, names in wanted.items()}


def families_named(names: Sequence[str]) -> Families:
    """The images as they are and these families.

    Raises:
        UsageError: an unknown family, or one named twice.
    """
    parse_augmentations(names)  # refuses what is not there
    return {AS_THEY_ARE: (IDENTITY,), **{name: AUGMENTATIONS[name] for name in names}}
