"""The option `--augment`: which augmentations of training images each feature space compares.

An augmentation is added in `images/augmentations.py`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from genmem.errors import UsageError
from genmem.features import pixels
from genmem.images import AUGMENTATIONS, IDENTITY, Augmentation, parse_augmentations
from genmem.images.augmentations import ALL

UNCHANGED = "as they are"
"""The family of the unchanged training images."""

AugmentationFamilies = Mapping[str, tuple[Augmentation, ...]]
"""Augmentations by family, the unchanged images first. Each family has its own null."""


def parse_families(
    augment: Sequence[str], backbones: Sequence[str]
) -> tuple[tuple[Augmentation, ...], dict[str, AugmentationFamilies]]:
    """All augmentations, the unchanged image first; and the families of each feature space.

    Args:
        augment: "FAMILY" for all spaces, or "SPACE:FAMILY" for one of them; "all" and "SPACE:all"
            stand for every family, the space "pixels" for `pixels@64`.
        backbones: the spaces.

    Raises:
        UsageError: an unknown family, one named twice, or a space that is not among `backbones`.
    """
    if isinstance(augment, str):
        raise UsageError(f"augment: expected a list of families, got the text {augment!r}.")
    by_space: dict[str, list[str]] = {space: [] for space in backbones}
    for item in augment:
        space, colon, family = item.rpartition(":")
        if space == pixels.BACKBONE.name and space not in by_space:
            space = pixels.STRETCHED.name  # as among the backbones of an audit
        if colon and space not in by_space:
            raise UsageError(
                f"augment: {item} names the space {space!r}; expected one of "
                f"{', '.join(backbones)}."
            )
        for name in [space] if colon else backbones:
            by_space[name] += list(AUGMENTATIONS) if family == ALL else [family]
    names = list(dict.fromkeys(name for families in by_space.values() for name in families))
    augmentations = parse_augmentations(names)
    return augmentations, {space: build_families(names) for space, names in by_space.items()}


def build_families(names: Sequence[str]) -> AugmentationFamilies:
    """The unchanged images and these families.

    Raises:
        UsageError: an unknown family, or one named twice.
    """
    parse_augmentations(names)  # checks the names
    return {UNCHANGED: (IDENTITY,), **{name: AUGMENTATIONS[name] for name in names}}


def flatten(families: AugmentationFamilies) -> tuple[Augmentation, ...]:
    """The augmentations of all families, in order."""
    return tuple(
        augmentation for augmentations in families.values() for augmentation in augmentations
    )
