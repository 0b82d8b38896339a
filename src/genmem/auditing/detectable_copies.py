"""How few copies an audit of so many images could find, announced before the work."""

from __future__ import annotations

import math

import numpy as np

from genmem.calibration.null_distribution import FEWEST_FOR_TAIL
from genmem.calibration.q_values import min_copies_flagged
from genmem.formatting import count, share
from genmem.metrics.copied_fraction import copied_fraction_from

_LEAST = 1e-9
"""The p-value of a perfect copy where a power law is fitted to the honest images."""


def announce_detectable(*, images: int, honest: int, level: float) -> str:
    """How few perfect copies could be flagged or told from none, and what would change it.

    Args:
        images: n, generated images.
        honest: m, held-out images, or training images that stand for them.
        level: the false-discovery rate at which images are flagged.

    Returns:
        One or two sentences, which suppose that no honest image repeats a training image.
    """
    flagged, fewest = fewest_flagged(images=images, honest=honest, level=level), None
    if honest:
        values = np.arange(1.0, honest + 1)
        result = copied_fraction_from(generated=np.zeros(images), test=values, train_rows=0)
        fewest = result.parts["fewest_below"]
    start = f"with {count(images, 'generated image')} and {count(honest, 'honest image')}"
    told = (
        f"{count(fewest, 'perfect copy', 'perfect copies')} ({share(fewest / images)}) can be told "
        "from none"
        if fewest
        else "no share of copies can be told from none"
    )
    named = (
        f"{'it' if flagged == 1 else f'from {flagged:,} on they'} can be flagged one by one"
        if flagged
        else "none can be flagged one by one"
    )
    sentence = f"{start}, {told}, and {named}"
    return sentence if flagged == 1 else f"{sentence}. {_advice(images, honest, level)}"


def fewest_flagged(*, images: int, honest: int, level: float) -> int | None:
    """The smallest number of perfect copies that would be flagged; None where none would."""
    least = _LEAST if honest >= FEWEST_FOR_TAIL else 1 / (honest + 1)
    own = np.arange(1, honest + 1) / (honest + 1)
    return min_copies_flagged(least, own, images=images, level=level)


def _advice(images: int, honest: int, level: float) -> str:
    """How a single copy could be flagged: n / (n + m), or n / (m + 1), is at most the level."""
    ratio = (1 - level) / level
    more, batch = max(1, math.floor(images * ratio)), math.ceil(honest / ratio)
    while fewest_flagged(images=images, honest=more, level=level) != 1:
        more += 1
    while batch and fewest_flagged(images=batch, honest=honest, level=level) != 1:
        batch -= 1
    smaller = f", or audits of at most {count(batch, 'image')} each" if batch else ""
    return f"A single copy takes {more:,} held-out images{smaller}"
