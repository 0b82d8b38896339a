"""What an audit hands on: one row a generated image, one row a copied training image."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import TracebackType
from typing import Protocol, Self

import numpy as np
from numpy.typing import NDArray

from genmem.images import Augmentation
from genmem.results import InputSummary, Json, Result, to_json

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


class Pictures(Protocol):
    """Where the images behind the rows can be seen, as long as the audit is open."""

    def generated(self, row: int) -> bytes | None:
        """A generated image as PNG or WebP; None where features were given."""
        ...

    def train(self, row: int) -> bytes | None:
        """A training image, untransformed, as PNG or WebP; None where features were given."""
        ...

    def test(self, row: int) -> bytes | None:
        """A held-out image as PNG or WebP; None where there are none, or features were given."""
        ...

    def close(self) -> None:
        """Release the files."""
        ...


@dataclass(frozen=True, kw_only=True)
class Null:
    """What honest images look like in one space.

    Attributes:
        source: "test" (held-out images) or "train" (training images, each left out in turn).
        statistic: the statistic of each of them, float64 [m], ascending.
        tail: of the m, those the power-law tail was fitted to; 0 where none was.
        exponent: of that tail, P(statistic < x) ∝ x^exponent; 0 without.
        dropped: held-out images left out of it as duplicates of training images.
    """

    source: str
    statistic: Floats
    tail: int
    exponent: float
    dropped: int = 0

    def to_dict(self) -> dict[str, Json]:
        """The null in numbers, without its m values."""
        return to_json(
            {
                "source": self.source,
                "count": len(self.statistic),
                "smallest": self.statistic[0],
                "median": float(np.median(self.statistic)),
                "tail": self.tail,
                "exponent": self.exponent,
                "dropped": self.dropped,
            }
        )


@dataclass(frozen=True, kw_only=True)
class Space:
    """The generated images as one feature space sees them.

    Attributes:
        name: the backbone's name; "features" where features were given.
        metric: "absolute_cosine" or "euclidean".
        distances: to k near, different training images, float64 [n, k]: the most telling match,
            then the nearest others; the smallest over the transformations of each.
        train: rows of these training images, int64 [n, k].
        transformations: int64 [n, k], into `Audit.transformations`: what was done to them.
        forms: int64, those of `Audit.transformations` that were compared in this space.
        ratio: d1/d2 among the forms of the most telling match, float64 [n]; 1 where both are 0.
        statistic: of the training images as they are, what is compared with the null, float64
            [n]: smaller is closer.
        statistic_name: that in words ("distance", "distance relative to the 10th neighbour").
        p_values: float64 [n], probability of an honest image at least as close. Every family of
            transformations has a null of its own; their p-values are combined.
        null: the honest images, against training images as they are.
        copied_fraction: the share of generated images closer than honest ones ever are; None
            without held-out images: left-out training images come in pairs that are each other's
            nearest, and its interval would not hold.
        backbone: as in `Score.backbone`.
    """

    name: str
    metric: str
    distances: Floats
    train: Ints
    transformations: Ints
    forms: Ints
    ratio: Floats
    statistic: Floats
    statistic_name: str
    p_values: Floats
    null: Null
    copied_fraction: Result | None
    backbone: Mapping[str, Json]

    def to_dict(self) -> dict[str, Json]:
        """The space as plain JSON, without its rows."""
        return to_json(
            {
                "metric": self.metric,
                "statistic": self.statistic_name,
                "null": self.null.to_dict(),
                "copied_fraction": self.copied_fraction.to_dict() if self.copied_fraction else None,
                "backbone": self.backbone,
            }
        )


@dataclass(frozen=True, kw_only=True)
class Duplicates:
    """Near-duplicate pairs found on the way, nearest first.

    Attributes:
        between: "train and train" or "test and train".
        space: where they were found.
        rule: when two images count as duplicates, in words.
        first_ids: the ids of the first of each pair (of test, or of train), [p].
        second_ids: the ids of the training image it repeats, [p].
        first, second: the rows, int64 [p].
        distances: float64 [p].
        exact: bool [p]: the stored images are the same to the byte.
        examined: images looked at (a sample where the set is very large).
        of: images in the set.
        dropped: pairs of which one image was left out of the audit: the certain ones, the same to
            the byte or within a third of the tenth nearest's distance; 0 where none was to be.
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
                "examined": self.examined,
                "of": self.of,
                "dropped": self.dropped,
            }
        )


@dataclass(frozen=True, kw_only=True)
class Audit:
    """Everything `genmem.audit` found.

    Attributes:
        generated_ids, train_ids: the images' ids, in row order.
        categories: the training images' classes, in row order; None where not asked for.
        transformations: what training images were compared as; the first is "as it is".
        spaces: one finding a feature space, in the order asked for.
        p_values: combined over the spaces, float64 [n].
        q_values: of these, Benjamini–Hochberg, float64 [n]; where they rest on a power law, also
            what an exact test says of its use (`calibration.null.q_values`).
        flagged: q ≤ `level`, bool [n].
        level: the false-discovery rate at which images are flagged.
        by_law: bool [n], flags that rest on the power law: counting alone would not give them.
        least_p: the p-value of a perfect copy, at no distance in every space and form: no image can
            have a smaller one.
        fewest_flagged: so many perfect copies among the generated images would be flagged, fewer
            would not; None: not even if all were.
        space: int64 [n], the space with the smallest p-value: the one that tells most.
        copied_fraction: over all spaces together; None where it cannot be told.
        duplicates: near-duplicates among the given images.
        inputs: by role, as in `Score.inputs`.
        provenance, seconds, notes: as in `Score`.
        pictures: the images; None where features were given.
    """

    generated_ids: Sequence[str]
    train_ids: Sequence[str]
    categories: Sequence[str | None] | None
    transformations: tuple[Augmentation, ...]
    spaces: tuple[Space, ...]
    p_values: Floats
    q_values: Floats
    flagged: Bools
    level: float
    by_law: Bools
    least_p: float
    fewest_flagged: int | None
    space: Ints
    copied_fraction: Result | None
    duplicates: tuple[Duplicates, ...]
    inputs: Mapping[str, InputSummary]
    provenance: Mapping[str, Json]
    seconds: Mapping[str, float]
    notes: tuple[str, ...]
    pictures: Pictures | None = field(default=None, repr=False, compare=False)

    def close(self) -> None:
        """Release the image files; the numbers stay, pictures cannot be read any more."""
        if self.pictures is not None:
            self.pictures.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def nearest(self, row: int) -> tuple[Space, int, Augmentation, float]:
        """Space, training row, transformation and distance of a row's most telling match."""
        space = self.spaces[int(self.space[row])]
        transformation = self.transformations[int(space.transformations[row, 0])]
        return space, int(space.train[row, 0]), transformation, float(space.distances[row, 0])

    def to_dict(self) -> dict[str, Json]:
        """The audit as plain JSON, without its rows, which are in the tables."""
        return to_json(
            {
                "kind": "genmem audit",
                "images": len(self.p_values),
                "flagged": int(self.flagged.sum()),
                "level": self.level,
                "least_p_value": self.least_p,
                "fewest_flagged": self.fewest_flagged,
                "flagged_by_power_law": int(self.by_law.sum()),
                "copied_training_images": len(copied(self)),
                "copied_fraction": self.copied_fraction.to_dict() if self.copied_fraction else None,
                "spaces": {space.name: space.to_dict() for space in self.spaces},
                "transformations": [one.name for one in self.transformations],
                "duplicates": [one.to_dict() for one in self.duplicates],
                "inputs": {role: summary.to_dict() for role, summary in self.inputs.items()},
                "notes": self.notes,
                "provenance": self.provenance,
                "seconds": self.seconds,
            }
        )


@dataclass(frozen=True, kw_only=True)
class CopiedImage:
    """A training image of which flagged generated images are copies.

    Attributes:
        train: its row.
        generated: rows of the flagged images whose most telling match it is, smallest p first.
        distance: of the first of them, in the space that tells most of it.
    """

    train: int
    generated: tuple[int, ...]
    distance: float


def copied(audit: Audit) -> list[CopiedImage]:
    """The copied training images, most often copied first, then by row: the reverse table."""
    by_image: dict[int, list[int]] = {}
    for row in np.flatnonzero(audit.flagged):
        by_image.setdefault(audit.nearest(int(row))[1], []).append(int(row))
    found = []
    for image, rows in by_image.items():
        ordered = sorted(rows, key=lambda row: (audit.p_values[row], row))
        closest = audit.nearest(ordered[0])[3]
        found.append(CopiedImage(train=image, generated=tuple(ordered), distance=closest))
    return sorted(found, key=lambda one: (-len(one.generated), one.train))


def copied_by_class(audit: Audit) -> dict[str, tuple[int, int, int]]:
    """By class of the copied training image: flagged images, copied images, images in train.

    Empty where no classes were asked for.
    """
    if audit.categories is None:
        return {}
    counts: dict[str, list[int]] = {}
    for category in audit.categories:
        counts.setdefault(category or "", [0, 0, 0])[2] += 1
    for one in copied(audit):
        entry = counts[audit.categories[one.train] or ""]
        entry[0] += len(one.generated)
        entry[1] += 1
    return {name: (a, b, c) for name, (a, b, c) in sorted(counts.items())}
