"""Exact copies: generated images at no distance at all from a training image."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from genmem.report._reading import CLEAR_Z, Sign, has_yardstick
from genmem.results import Score

NO_DISTANCE = 1e-12
"""The search decides in float64, where equal rows come out at 0 up to this rounding."""

LARGE_SHARE = 0.01
"""From this part of the images on, exact copies are the generator's habit."""

SAME_DIRECTION = (
    "The distance is one of direction: an image whose features are a multiple of another's counts "
    "as its copy."
)


@dataclass(frozen=True, kw_only=True)
class ExactCopies:
    """How many images of a set are exact copies of training images, and what that says.

    Attributes:
        sentence: one sentence, whole.
        sign: what it says about copying; "none" where held-out images are copies as often.
    """

    sentence: str
    sign: Sign


def exact_copies(score: Score) -> ExactCopies | None:
    """The generated images that are exact copies; None where there are none.

    Held-out images that are training images too tell of a data set that repeats itself; the
    generator is suspected where it repeats more than they do.
    """
    copies, images = _count(score, "generated")
    if not copies:
        return None
    said = _said(copies, images, "generated")
    known, held_out = _count(score, "test") if has_yardstick(score) else (0, 0)
    if known:
        others = _said(known, held_out, "held-out")
        if _as_often(copies, images, known, held_out):
            return ExactCopies(
                sentence=f"{said} in this feature space, but {others} too, about as often: the "
                "data repeat themselves.",
                sign="none",
            )
        said = f"{said} in this feature space, and only {others}"
    elif held_out:
        said = f"{said} in this feature space, and no held-out image is"
    else:
        said = f"{said} in this feature space"
    large = copies == images or copies / images >= LARGE_SHARE
    return ExactCopies(sentence=f"{said}.", sign="copying" if large else "doubt")


def _count(score: Score, role: str) -> tuple[int, int]:
    """Exact copies of training images in a set, and its images; (0, 0) where it was not given."""
    distances = score.nearest.get(role)
    if distances is None:
        return 0, 0
    return int(np.count_nonzero(distances <= NO_DISTANCE)), len(distances)


def _said(copies: int, images: int, role: str) -> str:
    """`3 of 400 generated images are exact copies of training images`."""
    if copies == images == 1:
        return f"the one {role} image is an exact copy of a training image"
    if copies == images:
        return f"all {images:,} {role} images are exact copies of training images"
    is_copy = (
        "is an exact copy of a training image"
        if copies == 1
        else ("are exact copies of training images")
    )
    return f"{copies:,} of {images:,} {role} images {is_copy}"


def _as_often(copies: int, images: int, known: int, held_out: int) -> bool:
    """Whether two shares differ by no more than chance: the pooled z-test of two proportions."""
    pooled = (copies + known) / (images + held_out)
    spread = math.sqrt(pooled * (1 - pooled) * (1 / images + 1 / held_out))
    return copies / images - known / held_out <= CLEAR_Z * spread
