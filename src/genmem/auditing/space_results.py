"""What one feature space says of the images, frozen: `SpaceResult`, its null, and duplicates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genmem.results import Json, Result, to_json

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, kw_only=True)
class NullSample:
    """The honest images of one space, that generated images are compared with.

    Attributes:
        source: "test" (held-out images) or "train" (training images, each left out in turn).
        statistic: the statistic of each of them, float64 [m], ascending.
        tail: of the m, those the power-law tail was fitted to; 0 where none was.
        exponent: of that tail, P(statistic < x) ∝ x^exponent; 0 without.
        dropped: held-out images left out of it as duplicates of training images.
        shared: held-out images left out of it since their group is in train too.
        images: honest images behind the statistic, where each of its m values is the smallest of a
            group (`groups`); None where each is an image's.
    """

    source: str
    statistic: Floats
    tail: int
    exponent: float
    dropped: int = 0
    shared: int = 0
    images: int | None = None

    def to_dict(self) -> dict[str, Json]:
        """A summary as plain JSON, without the m values."""
        return to_json(
            {
                "source": self.source,
                "count": len(self.statistic),
                "smallest": self.statistic[0],
                "median": float(np.median(self.statistic)),
                "tail": self.tail,
                "exponent": self.exponent,
                "dropped": self.dropped,
                "shared_groups": self.shared,
                "images": len(self.statistic) if self.images is None else self.images,
            }
        )


@dataclass(frozen=True, kw_only=True)
class SpaceResult:
    """The generated images in one feature space.

    Attributes:
        name: the backbone's name; "features" where features were given.
        metric: "absolute_cosine" or "euclidean".
        distances: to k near, different training images, float64 [n, k]: the most significant
            match, then the nearest others; the smallest over the augmentations of each.
        train: rows of these training images, int64 [n, k].
        augmentations: int64 [n, k], numbers in `Audit.augmentations`.
        compared: int64, those of `Audit.augmentations` that were compared in this space.
        ratio: d1/d2 in the family of the most significant match, float64 [n]; 1 where both are 0.
        statistic: of the unchanged training images, compared with the null, float64 [n]: smaller
            is closer.
        statistic_name: its name ("distance", "distance relative to the 10th neighbor").
        p_values: float64 [n], probability of an honest image at least as close. Every family of
            augmentations has a null of its own; their p-values are combined.
        null: the honest images, against unchanged training images.
        copied_fraction: the share of generated images closer than honest ones ever are; None
            without held-out images: left-out training images come in pairs that are each other's
            nearest, and its interval would not hold.
        backbone: as in `Score.backbone`.
    """

    name: str
    metric: str
    distances: Floats
    train: Ints
    augmentations: Ints
    compared: Ints
    ratio: Floats
    statistic: Floats
    statistic_name: str
    p_values: Floats
    null: NullSample
    copied_fraction: Result | None
    backbone: Mapping[str, Json]

    def to_dict(self) -> dict[str, Json]:
        """The space as plain JSON, without its rows."""
        return to_json(
            {
                "metric": self.metric,
                "statistic": self.statistic_name,
                "null": self.null,
                "copied_fraction": self.copied_fraction,
                "backbone": self.backbone,
            }
        )


@dataclass(frozen=True, kw_only=True)
class Duplicates:
    """Pairs of images that are much alike among the given images, nearest first.

    Attributes:
        between: "train and train" or "test and train".
        space: feature space of the comparison.
        rule: when a pair is listed, in words.
        first_ids: the ids of the first of each pair (of test, or of train), [p].
        second_ids: the ids of the training image it repeats, [p].
        first, second: the rows, int64 [p].
        distances: float64 [p].
        exact: bool [p]: the stored images are the same to the byte.
        same: bool [p]: they show the same picture, detail by detail (`same_picture`), or are exact;
            the others are similar. Where features were given, the exact ones only.
        examined: images looked at (a sample where the set is very large).
        of: images in the set.
        dropped: pairs of which one image was left out of the audit: the certain ones, the same to
            the byte, or the same picture and within a third of the tenth nearest's distance; 0
            without dropping.
    """

    between: str
    space: str
    rule: str
    first_ids: Sequence[str]
    second_ids: Sequence[str]
    first: Ints
    second: Ints
    distances: Floats
    exact: Bools
    same: Bools
    examined: int
    of: int
    dropped: int

    def to_dict(self) -> dict[str, Json]:
        """The counts as plain JSON, without the pairs."""
        return to_json(
            {
                "between": self.between,
                "space": self.space,
                "rule": self.rule,
                "pairs": len(self.first),
                "exact": int(self.exact.sum()),
                "same_picture": int(self.same.sum()),
                "examined": self.examined,
                "of": self.of,
                "dropped": self.dropped,
            }
        )
