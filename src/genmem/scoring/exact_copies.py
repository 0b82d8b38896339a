"""Generated images that are exact copies of training images, and whether repeats explain them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

NO_DISTANCE = 1e-12
"""The search computes in float64, where the distance of equal rows is 0 up to this rounding."""

LARGE_SHARE = 0.01
"""From this share of the images on, exact copies are strong evidence."""

_Z = 3.0
"""A share is larger than another beyond chance from this z-score on: once in 700."""


@dataclass(frozen=True, kw_only=True)
class ExactCopies:
    """How many images of a set are exact copies of training images, and what explains them.

    Attributes:
        copies, images: generated images that are exact copies, and all of them.
        explanation: why they say nothing; empty if nothing explains them.
        sentence: the finding, without a capital letter.
        compared: how often images repeat in this data set is known, from held-out or training
            images.
    """

    copies: int
    images: int
    explanation: str
    sentence: str
    compared: bool = True

    @property
    def strong(self) -> bool:
        """So many, without an explanation, that they are copies."""
        large = self.copies == self.images or self.copies / self.images >= LARGE_SHARE
        return large and self.compared and not self.explanation

    @property
    def weak(self) -> bool:
        """Too few to be more than suspicious, without an explanation."""
        return not self.explanation and not self.strong


def count_exact_copies(
    distances: Mapping[str, NDArray[np.float64]],
    *,
    held_out: bool,
    comparable: bool = True,
    repeats: tuple[int, int] | None = None,
    what: str,
) -> ExactCopies | None:
    """The generated images that are exact copies; None if there are none.

    Held-out images that are also training images, and training images that repeat each other, show
    that the data set contains duplicates. Then copies are evidence only if the generator repeats
    more than those do. Training images are asked where there are no held-out ones to compare with:
    images that an honest generator repeats are repeated in a held-out set, too.

    Args:
        distances: to the nearest training image, float64 [n], by role: "generated", "test".
        held_out: the held-out images are neither the training nor the generated images.
        comparable: they are a yardstick, so that repeats in train alone explain no more copies
            than they show.
        repeats: training images that are equal to another one, and how many were looked at; None
            where that is not known.
        what: in which way the images are equal, for the sentence.
    """
    copies, images = _count(distances.get("generated"))
    if not copies:
        return None
    sentence = f"{_copies_clause(copies, images, 'generated')} {what}"
    test_copies, test_images = _count(distances.get("test")) if held_out else (0, 0)
    equal, train_images = repeats or (0, 0)
    as_held_out = bool(test_images) and _as_often(copies, images, test_copies, test_images)
    asks_train = equal > 0 and (as_held_out or not (test_images and comparable))
    explanation = ""
    if test_copies and as_held_out:
        explanation = f"{_copies_clause(test_copies, test_images, 'held-out')} too"
    elif asks_train and _as_often(copies, images, equal, train_images):
        explanation = f"{equal:,} of {train_images:,} training images are equal to another one"
    if explanation:
        sentence += f", but {explanation}, about as often: the data set contains duplicates."
    elif test_copies:
        sentence += f", and only {_copies_clause(test_copies, test_images, 'held-out')}."
    else:
        sentence += ", and no held-out image is." if test_images else "."
    return ExactCopies(
        copies=copies,
        images=images,
        explanation=explanation,
        sentence=sentence,
        compared=bool(test_images or train_images),
    )


def _count(distances: NDArray[np.float64] | None) -> tuple[int, int]:
    """Exact copies of training images in a set, and its size; (0, 0) if the set was not given."""
    if distances is None:
        return 0, 0
    return int(np.count_nonzero(distances <= NO_DISTANCE)), len(distances)


def _copies_clause(copies: int, images: int, kind: str) -> str:
    """`3 of 400 generated images are exact copies of training images`."""
    if copies == images == 1:
        return f"the one {kind} image is an exact copy of a training image"
    if copies == images:
        return f"all {images:,} {kind} images are exact copies of training images"
    are_copies = (
        "is an exact copy of a training image"
        if copies == 1
        else "are exact copies of training images"
    )
    return f"{copies:,} of {images:,} {kind} images {are_copies}"


def _as_often(copies: int, images: int, test_copies: int, test_images: int) -> bool:
    """Whether two shares differ by no more than chance: the pooled z-test of two proportions."""
    pooled = (copies + test_copies) / (images + test_images)
    deviation = math.sqrt(pooled * (1 - pooled) * (1 / images + 1 / test_images))
    return copies / images - test_copies / test_images <= _Z * deviation
