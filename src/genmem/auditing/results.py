"""The results of an audit: a row per generated image, and per copied training image."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from genmem.auditing.groups import Groups
from genmem.auditing.local.results import LocalEvidence
from genmem.auditing.power_results import Power
from genmem.auditing.space_results import Bools, Duplicates, Floats, Ints, SpaceResult
from genmem.formatting import count, join_words, percent, printable, share
from genmem.images import Augmentation
from genmem.io.closable import Closable
from genmem.presenters import presenter
from genmem.results import InputSummary, Json, Result, Verdict, Yardstick, to_json

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


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


@dataclass(frozen=True, kw_only=True, eq=False, repr=False)
class Audit(Closable):
    """The result of `genmem.audit`. A notebook shows it as a table with pictures.

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

    def __repr__(self) -> str:
        names = {role: printable(one.source) for role, one in self.inputs.items()}
        spaces = join_words([printable(space.name) for space in self.spaces])
        flagged = int(self.flagged.sum())
        numbers = (
            f"{flagged:,} of {count(len(self.flagged), 'generated image')} flagged at a "
            f"false-discovery rate of {percent(self.level)}"
        )
        if self.copied_fraction is not None:
            numbers += f"; copied fraction {share(float(self.copied_fraction))}"
        return "\n".join(
            [
                f"Audit of {names.get('generated', '?')} against {names.get('train', '?')}, in "
                f"{spaces}",
                *([self.verdict.sentence] if self.verdict else []),
                f"{numbers}.",
            ]
        )

    def _repr_html_(self) -> str:
        return presenter("audit").html(self)

    def to_pandas(self) -> Any:
        """A `pandas.DataFrame` with a row for each generated image: the columns of `images.csv`.

        Raises:
            UsageError: pandas is not installed.
        """
        return presenter("audit").frame(self)

    def plot(self) -> Figure:
        """A figure with `plot_distances` and, below it, `plot_pairs`."""
        return presenter("audit").plot(self)

    def plot_distances(self, ax: Axes | None = None, space: str | None = None) -> Axes:
        """Draw histograms of what is compared: of the generated and of the honest images.

        Args:
            ax: where to draw; None makes a figure of its own.
            space: name of the feature space; None for the first.

        Returns:
            The axes.

        Raises:
            UsageError: there is no such space.
        """
        return presenter("audit").plot_distances(self, ax, space)

    def plot_pairs(self, ax: Axes | None = None, count: int = 8) -> Axes:
        """Draw the most suspicious images above the training images they are nearest to.

        Args:
            ax: where to draw; None makes a figure of its own.
            count: pairs, at most.

        Returns:
            The axes.

        Raises:
            UsageError: there are no pictures: features were given, or the audit is closed.
        """
        return presenter("audit").plot_pairs(self, ax, count)

    @property
    def accusing(self) -> bool | None:
        """Whether flags accuse: the verdict is "copying", and honest images can be compared with.

        None without a verdict. Where it is False under "copying", `verdict.basis` is exact copies,
        left-out training images, or both: the generator is accused, and a flag says nothing.
        """
        return self.verdict and self.verdict.label == "copying" and self.verdict.comparable

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


_NO_DISTANCE = 1e-12
"""Statistics below it are those of equal images."""


def most_suspicious_first(audit: Audit) -> Ints:
    """All rows by p-value, int64 [n].

    With m honest images no p-value is below about 1/m, so that many are equal. Of these, an image
    comes first whose statistic is a smaller part of the smallest honest one, in any space.
    """
    parts = [
        space.statistic / max(float(space.null.statistic[0]), _NO_DISTANCE)
        for space in audit.spaces
    ]
    return np.lexsort((np.min(parts, axis=0), audit.p_values))


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
    order = most_suspicious_first(audit)
    for row in order[audit.flagged[order]].tolist():
        by_image.setdefault(audit.nearest(row)[1], []).append(row)
    images = []
    for image, rows in by_image.items():
        closest = audit.nearest(rows[0])[3]
        images.append(CopiedImage(train=image, generated=tuple(rows), distance=closest))
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
