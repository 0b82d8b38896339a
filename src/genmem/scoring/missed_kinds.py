"""Kinds of copies that a comparison does not look for."""

from __future__ import annotations

from collections.abc import Collection, Sequence

from genmem.formatting import join_words


def missed_kinds(
    spaces: Sequence[str], *, parts: bool = False, augmentations: Collection[str] = ()
) -> str:
    """Which copies a comparison in these spaces does not look for, as a list in words.

    `docs/detection.md` has the measurements.

    Args:
        spaces: names of feature spaces.
        parts: parts of images were searched, too, however they are moved, turned or mirrored.
        augmentations: names of the augmentations of training images that were compared, too.
    """
    pixels = [name for name in spaces if name.startswith("pixels")]
    features = len(pixels) < len(spaces)
    missed = []
    if not pixels:
        missed.append("blurred, noisy, pixelated or overlaid copies")
    if not parts:
        if not features:
            missed.append(f"{join_words(_moved(augmentations), last='or')} copies")
        missed.append("parts of images (cut out, pasted or strongly cropped)")
        if not _is_among(augmentations, "rotation 90") and (features or _is_turned(augmentations)):
            missed.append("copies turned by a quarter")
    return ", ".join(missed) if missed else "copies altered beyond recognition"


def _moved(augmentations: Collection[str]) -> list[str]:
    """How copies can be moved so that pixels miss them."""
    return [
        *([] if _is_among(augmentations, "flip") else ["mirrored"]),
        "shifted",
        *([] if _is_turned(augmentations) else [_turned(augmentations)]),
        *([] if _is_among(augmentations, "crop") else ["cropped"]),
    ]


def _turned(augmentations: Collection[str]) -> str:
    return "slightly rotated" if _is_among(augmentations, "rotation 90") else "rotated"


def _is_turned(augmentations: Collection[str]) -> bool:
    """Whether training images were turned by a few degrees."""
    names = [name for name in augmentations if name.startswith("rotation")]
    return any(int(name.split()[1]) % 90 for name in names)


def _is_among(augmentations: Collection[str], start: str) -> bool:
    return any(name.startswith(start) for name in augmentations)
