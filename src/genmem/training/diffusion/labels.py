"""The labels that a diffusion model is conditioned on: none, true classes, random ones, unique."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, get_args

from genmem.errors import InputError, UsageError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from genmem.training.common.dataset import TrainingImages

LabelKind = Literal["none", "true", "random", "unique"]
"""None; each image's class; a class drawn for each image once; each image's number."""

RANDOM_CLASSES = 10
"""Classes of random labels where no number is given."""


def parse_labels(text: str) -> tuple[LabelKind, int]:
    """The kind of labels, and the number of random classes.

    Args:
        text: none, true, random, random:C or unique.

    Raises:
        UsageError: the text names no labels.
    """
    kind, colon, number = text.partition(":")
    for known in get_args(LabelKind):
        if kind == known and not colon:
            return known, RANDOM_CLASSES
        if kind == known == "random" and number.isdecimal() and len(number) < 10 and int(number):
            return known, int(number)
    raise UsageError(
        f"labels: expected none, true, random, random:C with C classes, or unique, got {text!r}."
    )


def training_labels(
    text: str, data: TrainingImages, *, seed: int
) -> tuple[NDArray[np.int64] | None, int]:
    """The label of each image, int64 [n], and how many classes there are.

    Args:
        text: which labels, as for `parse_labels`.
        data: the training images.
        seed: of random labels.

    Raises:
        InputError: true labels are asked for, and the images have none.
    """
    import numpy as np

    count = len(data)
    kind, classes = parse_labels(text)
    if kind == "none":
        return None, 0
    if kind == "unique":
        return np.arange(count, dtype=np.int64), count
    if kind == "random":
        drawn = np.random.default_rng([seed, 1]).integers(classes, size=count)
        return drawn.astype(np.int64), classes
    if data.labels is None:
        raise InputError(
            f"{data.name}: true labels need images with classes; load them with classes=True."
        )
    return data.labels, len(data.classes)
