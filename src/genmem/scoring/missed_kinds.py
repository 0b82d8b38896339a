"""Kinds of copies that a comparison does not look for."""

from __future__ import annotations

from collections.abc import Sequence


def missed_kinds(spaces: Sequence[str], *, parts: bool = False, turned: bool = False) -> str:
    """Which copies a comparison in these spaces does not look for, as a list in words.

    `docs/detection.md` has the measurements.

    Args:
        spaces: names of feature spaces.
        parts: parts of images were searched, too.
        turned: training images turned by quarters were searched, too.
    """
    pixels = [name for name in spaces if name.startswith("pixels")]
    features = len(pixels) < len(spaces)
    missed = []
    if not pixels:
        missed.append("blurred, noisy, pixelated or overlaid copies")
    if not features:
        missed.append("mirrored, shifted, rotated or cropped copies")
    if not parts:
        missed.append("parts of images (cut out, pasted or strongly cropped)")
        if features and not turned:
            missed.append("copies turned by a quarter")
    return ", ".join(missed) if missed else "copies altered beyond recognition"
