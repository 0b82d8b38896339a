"""The results of an audit: a row per generated image, and per copied training image."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from genmem.auditing.groups import Groups
from genmem.auditing.local.results import LocalEvidence
from genmem.auditing.power_results import Power
from genmem.images import Augmentation
from genmem.io.closable import Closable
from genmem.results import InputSummary, Json, Result, Verdict, Yardstick, to_json

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]


class Thumbnails(Protocol):
    """The images behind the rows, as long as the audit is open; called in several threads at once.

    `size` is the longer side in pixels that larger images are reduced to; None: a thumbnail's
    (`thumbnails.THUMBNAIL_SIDE`). An image that is not reduced gives the same bytes at any size.
    """

    def generated(self, row: int, size: int | None = None) -> bytes | None:
        """A generated image as PNG, JPEG or WebP; None where features were given."""
        ...

    def train(self, row: int, size: int | None = None) -> bytes | None:
        """A training image, untransformed; None where features were given."""
        ...

    def test(self, row: int, size: int | None = None) -> bytes | None:
        """A held-out image; None where there are none, or features were given."""
        ...

    def close(self) -> None:
        """Close the files."""
        ...


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


@dataclass(frozen=True, kw_only=True)
class Audit(Closable):
    """The result of `genmem.audit`.

    Attributes:
        generated_ids, train_ids: the images' ids, in row order.
        classes: the training images' classes, in row order; None without `classes`.
        augmentations: of the training images, in all spaces; the first is the unchanged image.
        spaces: a result per feature space, in the given order.
        p_values: combined over the spaces, float64 [n].
        q_values: of these, Benjamini–Hochberg, float64 [n]; where they rest on a power law, also
            the exact test of its use (`calibration.q_values.q_values`).
        flagged: q ≤ `level`, bool [n].
        level: the false-discovery rate at which images are flagged.
        by_power_law: bool [n], flags that rest on the power law: counting alone gives none.
        min_p_value: the p-value of a perfect copy, at distance 0 in every space and family; no
            image can have a smaller one.
        min_copies_flagged: so many perfect copies among the generated images would be flagged, and
            fewer would not; None where not even all would be.
        space: int64 [n], the most significant space: the one with the smallest p-value.
        copied_fraction: over all spaces together; None where it cannot be estimated.
        local: local evidence, behind the space "local"; None where it was not looked for.
        duplicates: near-duplicates among the given images.
        groups: the images' groups, each of which counts once in the null; None: images count.
        power: what would have been flagged of planted copies; None where nobody asked.
        inputs: by role, as in `Score.inputs`.
        provenance, seconds, notes: as in `Score`.
        thumbnails: the images; None where features were given.
        verdict: what flags, copied fraction and yardstick say together.
        yardstick: whether the held-out images can be compared with, over all spaces; None without
            held-out images.
    """

    generated_ids: Sequence[str]
    train_ids: Sequence[str]
    classes: Sequence[str | None] | None
    augmentations: tuple[Augmentation, ...]
    spaces: tuple[SpaceResult, ...]
    p_values: Floats
    q_values: Floats
    flagged: Bools
    level: float
    by_power_law: Bools
    min_p_value: float
    min_copies_flagged: int | None
    space: Ints
    copied_fraction: Result | None
    duplicates: tuple[Duplicates, ...]
    groups: Groups | None = None
    power: Power | None = None
    inputs: Mapping[str, InputSummary]
    provenance: Mapping[str, Json]
    seconds: Mapping[str, float]
    notes: tuple[str, ...]
    local: LocalEvidence | None = None
    thumbnails: Thumbnails | None = field(default=None, repr=False, compare=False)
    verdict: Verdict | None = None
    yardstick: Yardstick | None = None

    def close(self) -> None:
        """Close the image files; the numbers stay, but thumbnails can no longer be read."""
        if self.thumbnails is not None:
            self.thumbnails.close()

    @property
    def accusing(self) -> bool | None:
        """Whether flags accuse: the verdict is "copying"; None without a verdict."""
        return self.verdict and self.verdict.label == "copying"

    def nearest(self, row: int) -> tuple[SpaceResult, int, Augmentation, float]:
        """Space, training row, augmentation and distance of a row's most significant match."""
        space = self.spaces[int(self.space[row])]
        augmentation = self.augmentations[int(space.augmentations[row, 0])]
        return space, int(space.train[row, 0]), augmentation, float(space.distances[row, 0])

    def digest(self) -> str:
        """Hex hash of the inputs' contents, the matches and the flags, whenever the audit ran.

        Marks of reviewers belong to the audit with their digest.
        """
        inputs = {role: summary.digest for role, summary in sorted(self.inputs.items())}
        content = hashlib.sha256(json.dumps(inputs).encode())
        for space in self.spaces:
            content.update(space.name.encode("utf-8", "backslashreplace"))
            content.update(space.train[:, 0].astype("<i8").tobytes())
        content.update(self.space.astype("<i8").tobytes())
        content.update(self.flagged.astype("?").tobytes())
        return content.hexdigest()[:32]

    def to_dict(self) -> dict[str, Json]:
        """The audit as plain JSON, without its rows, which are in the tables."""
        return to_json(
            {
                "kind": "genmem audit",
                "verdict": self.verdict,
                "yardstick": self.yardstick,
                "digest": self.digest(),
                "images": len(self.p_values),
                "flagged": int(self.flagged.sum()),
                "accusing": self.accusing,
                "level": self.level,
                "min_p_value": self.min_p_value,
                "min_copies_flagged": self.min_copies_flagged,
                "flagged_by_power_law": int(self.by_power_law.sum()),
                "copied_training_images": len(copied_images(self)),
                "copied_fraction": self.copied_fraction,
                "spaces": {space.name: space for space in self.spaces},
                "augmentations": [augmentation.name for augmentation in self.augmentations],
                "duplicates": self.duplicates,
                "groups": self.groups,
                **({"power": self.power} if self.power else {}),
                "inputs": self.inputs,
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
        generated: rows of the flagged images whose most significant match it is, smallest p first.
        distance: of the first of them, in its most significant space.
    """

    train: int
    generated: tuple[int, ...]
    distance: float


def copied_images(audit: Audit) -> list[CopiedImage]:
    """The copied training images, most often copied first, then by row."""
    by_image: dict[int, list[int]] = {}
    for row in np.flatnonzero(audit.flagged):
        by_image.setdefault(audit.nearest(int(row))[1], []).append(int(row))
    images = []
    for image, rows in by_image.items():
        ordered = sorted(rows, key=lambda row: (audit.p_values[row], row))
        closest = audit.nearest(ordered[0])[3]
        images.append(CopiedImage(train=image, generated=tuple(ordered), distance=closest))
    return sorted(images, key=lambda image: (-len(image.generated), image.train))


def copies_by_class(audit: Audit) -> dict[str, tuple[int, int, int]]:
    """By class of the copied training image: flagged images, copied images, images in train.

    Empty without classes.
    """
    if audit.classes is None:
        return {}
    counts: dict[str, list[int]] = {}
    for class_name in audit.classes:
        counts.setdefault(class_name or "", [0, 0, 0])[2] += 1
    for image in copied_images(audit):
        count = counts[audit.classes[image.train] or ""]
        count[0] += len(image.generated)
        count[1] += 1
    return {name: (a, b, c) for name, (a, b, c) in sorted(counts.items())}
