"""Groups in an audit: images that belong together (bursts, scenes, products, patients).

Images of one group are close to the training images together or not at all, so m images of G groups
say as much about honest images as G independent ones. Each held-out group therefore counts once in
the null, by its image closest to the training images. The p-value of an image of a new group is
then at most conservative: it compares one image with the closest of each group. Held-out images of
a group that is in train too are no held-out images, and are left out; a training image that stands
for an honest one is compared with the training images of other groups only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from genmem.errors import InputError
from genmem.results import Json, to_json

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]

LARGEST = 1_000
"""Training images of one group, where they are left out in turn: so many neighbors are searched."""

MIN_OTHERS = 2
"""Training images outside the largest group, where groups are left out in turn."""

NONE_LEFT = (
    "groups: every held-out image is in a group of training images, so none is left to compare "
    "with. Hold out whole groups, or leave out --groups (groups=None)."
)


@dataclass(frozen=True, kw_only=True)
class Groups:
    """The groups of all images.

    Attributes:
        rule: how they were found, in words.
        by_role: int64 [rows] by role: the number of each image's group, the same in all sets.
    """

    rule: str
    by_role: Mapping[str, Ints]

    def in_train(self) -> Bools:
        """bool [m]: held-out images of groups that training images belong to."""
        return np.isin(self.by_role["test"], self.by_role["train"])

    def count(self, role: str) -> int:
        """Groups in a set."""
        return len(np.unique(self.by_role[role]))

    def to_dict(self) -> dict[str, Json]:
        """The rule and the number of groups in each set, as plain JSON."""
        return to_json({"rule": self.rule, **{role: self.count(role) for role in self.by_role}})


@dataclass(frozen=True, kw_only=True)
class HonestUnits:
    """What counts once in a null: honest images, or groups of them.

    Attributes:
        source: "test" or "train", the set that honest images are taken from.
        kept: bool [m], honest images that are not left out.
        groups: int64, the group of each kept image, numbered from 0; None where images count.
        generated_groups: int64 [n], of the generated images; None where images count.
        dropped: images left out as duplicates of training images.
        shared: images left out since their group is in train too.
        biased: some were left out for their distance, so that the others are farther off than
            honest images are, and the copied fraction has no interval.
    """

    source: str
    kept: Bools
    groups: Ints | None = None
    generated_groups: Ints | None = None
    dropped: int = 0
    shared: int = 0
    biased: bool = False

    @property
    def images(self) -> int:
        """Honest images that are not left out."""
        return int(self.kept.sum())

    def reduce(self, values: Floats) -> Floats:
        """Of a statistic [m], smaller meaning closer: each kept image's, or each group's least."""
        values = values[self.kept]
        if self.groups is None:
            return values
        least = np.full(int(self.groups.max()) + 1, np.inf)
        np.minimum.at(least, self.groups, values)
        return least

    def representatives(self, values: Floats) -> Ints:
        """Rows of the generated images that count: each group's closest, or all; int64 [g].

        Args:
            values: float64 [n], their statistic, smaller meaning closer.
        """
        if self.generated_groups is None:
            return np.arange(len(values))
        order = np.argsort(values, kind="stable")
        _, first = np.unique(self.generated_groups[order], return_index=True)
        return order[first]


def honest_units(
    *, duplicates: Bools, biased: bool, groups: Groups | None, train_rows: Ints | None
) -> HonestUnits:
    """The units of a null.

    Args:
        duplicates: bool [m], honest images that are left out as duplicates of training images.
        biased: some of them are left out for their distance.
        groups: the images' groups; None where each image stands for itself.
        train_rows: int64 [m], the training images that honest ones are; None: held-out images.

    Raises:
        InputError: every held-out image is in a group of training images.
    """
    source = "test" if train_rows is None else "train"
    dropped = int(duplicates.sum())
    if groups is None:
        return HonestUnits(source=source, kept=~duplicates, dropped=dropped, biased=biased)
    labels = groups.by_role[source]
    shared = np.zeros(len(duplicates), dtype=bool)
    if train_rows is None:
        shared = groups.in_train()
    else:
        labels = labels[train_rows]
    kept = ~(duplicates | shared)
    if not kept.any():
        raise InputError(NONE_LEFT)
    return HonestUnits(
        source=source,
        kept=kept,
        groups=np.unique(labels[kept], return_inverse=True)[1],
        generated_groups=groups.by_role["generated"],
        dropped=dropped,
        shared=int((shared & ~duplicates).sum()),
        biased=biased,
    )


def train_groups(groups: Groups, train_rows: Ints) -> Ints:
    """int64 [l], the group of every training row, to leave whole groups out.

    Args:
        groups: the images' groups.
        train_rows: int64, the training rows that are compared with.

    Raises:
        InputError: a group is too large to be left out, or leaves nothing.
    """
    labels = groups.by_role["train"]
    largest = int(np.unique(labels[train_rows], return_counts=True)[1].max())
    if largest > LARGEST or len(train_rows) - largest < MIN_OTHERS:
        raise InputError(
            f"groups: the largest of {groups.rule} holds {largest:,} of {len(train_rows):,} "
            f"training images; without --test, a group is left out in turn, and holds at most "
            f"{LARGEST:,} images with at least {MIN_OTHERS} others. Give held-out images (--test)."
        )
    return labels
