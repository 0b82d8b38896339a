"""The option `--groups`: images that belong together (bursts, scenes, products, patients).

Images of one group are close to the training images together or not at all, so m images of G groups
say as much about honest images as G independent ones. Each held-out group therefore counts once in
the null, by its image closest to the training images. The p-value of an image of a new group is
then at most conservative: it compares one image with the closest of each group. Held-out images of
a group that is in train too are no held-out images, and are left out; a training image that stands
for an honest one is compared with the training images of other groups only.
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from genmem.arrays import to_numpy
from genmem.errors import InputError, UsageError
from genmem.neighbors import Metric, nearest
from genmem.results import Json, to_json
from genmem.scoring.feature_sets import FeatureSet

Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]

NEAR_DUPLICATES = "near-duplicates"
"""`--groups near-duplicates`: held-out images that nearly repeat each other are one group."""

GroupsOption = int | str | Path | Mapping[str, Sequence[object]]
"""A folder level, "near-duplicates", a CSV file, or labels by role, one a row."""

LARGEST = 1_000
"""Training images of one group, where they are left out in turn: so many neighbors are searched."""

MIN_OTHERS = 2
"""Training images outside the largest group, where groups are left out in turn."""

_LINKED = 0.05
_NEIGHBORS = 50
_ROLES = ("generated", "train", "test")


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
        raise InputError(
            "groups: every held-out image is in a group of training images, so none is left to "
            "compare with. Hold out whole groups, or leave out --groups (groups=None)."
        )
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


def check_groups(option: GroupsOption | None) -> None:
    """Refuse an option that means nothing, before anything is read.

    Raises:
        UsageError: no folder level, rule, file or labels by role.
    """
    if option is None:
        return
    if isinstance(option, Mapping):
        if unknown := set(option) - set(_ROLES):
            raise UsageError(
                f"groups: expected labels of {', '.join(_ROLES)}, got {', '.join(sorted(unknown))}."
            )
    elif _level(option) is None and option != NEAR_DUPLICATES and not Path(option).is_file():
        raise UsageError(
            f"groups: expected a folder level (1, 2, …), {NEAR_DUPLICATES}, or a CSV file with the "
            f"columns id and group, got {str(option)!r}, which is no file."
        )
    if (level := _level(option)) is not None and level < 1:
        raise UsageError(f"groups: expected a folder level of at least 1, got {level}.")


def find_groups(
    option: GroupsOption, by_role: Mapping[str, FeatureSet], *, metric: Metric
) -> Groups:
    """The groups of all images.

    Args:
        option: as of `genmem.audit`.
        by_role: the sets, in the space where near-duplicates are found.
        metric: of that space.

    Raises:
        InputError: a file or labels that do not go with the images.
        UsageError: no image lies in folders so deep.
    """
    by_role = {role: rows for role, rows in by_role.items() if role in _ROLES}
    honest = "test" if "test" in by_role else "train"
    level = _level(option)
    if isinstance(option, Mapping):
        rule, labels = "the given labels", _given(option, by_role)
    elif level is not None:
        rule = "the first folder" if level == 1 else f"the first {level} folders"
        labels = {role: _folders(rows.ids, level) for role, rows in by_role.items()}
        if not any(labels[honest]):
            raise UsageError(
                f"groups: no {'held-out' if honest == 'test' else 'training'} image lies in "
                f"{level} folder{'s' if level > 1 else ''}: the first is "
                f"{str(by_role[honest].ids[0])!r}. Give another level, or a CSV file."
            )
    elif option == NEAR_DUPLICATES:
        rule, labels = "near-duplicates", _near_duplicates(by_role, honest, metric)
    else:
        rule, labels = f"the column group of {Path(option).name}", _table(Path(option), by_role)
        if not any(labels[honest]):
            raise InputError(
                f"{option}: expected the ids of {honest} images, such as "
                f"{str(by_role[honest].ids[0])!r}, in the column id, found none of them."
            )
    return Groups(rule=rule, by_role=_numbered(labels))


def _level(option: object) -> int | None:
    """A folder level; None for any other option."""
    if isinstance(option, int):
        return option
    return int(option) if isinstance(option, str) and option.lstrip("-").isdigit() else None


def _numbered(labels: Mapping[str, Sequence[str]]) -> dict[str, Ints]:
    """Labels as numbers, the same in all sets; an image without a label is a group of its own."""
    numbers: dict[object, int] = {}
    return {
        role: np.array(
            [
                numbers.setdefault(label or (role, row), len(numbers))
                for row, label in enumerate(names)
            ],
            dtype=np.int64,
        )
        for role, names in labels.items()
    }


def _folders(ids: Sequence[str], level: int) -> list[str]:
    """The first folders of each id; empty for an image that does not lie in so many."""
    parts = (str(name).split("/")[:-1] for name in ids)
    return ["/".join(folders[:level]) if len(folders) >= level else "" for folders in parts]


def _given(
    labels: Mapping[str, Sequence[object]], by_role: Mapping[str, FeatureSet]
) -> dict[str, list[str]]:
    """Labels by role, as texts; none for roles that have none."""
    result = {}
    for role, rows in by_role.items():
        names = ["" if label is None else str(label) for label in labels.get(role, ())]
        if role in labels and len(names) != len(rows.ids):
            raise InputError(
                f"groups: expected {len(rows.ids):,} labels of {role}, got {len(names):,}."
            )
        result[role] = names or [""] * len(rows.ids)
    return result


def _table(path: Path, by_role: Mapping[str, FeatureSet]) -> dict[str, list[str]]:
    """The column group of a CSV file, by id, and by set where it has a column of that name."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            reader = csv.DictReader(file)
            columns = reader.fieldnames or []
            if not {"id", "group"} <= set(columns):
                raise InputError(
                    f"{path}: expected the columns id and group, got "
                    f"{', '.join(columns) or 'none'}."
                )
            rows = [(row.get("set"), row["id"], row["group"] or "") for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise InputError(f"{path}: cannot be read as a CSV file: {error}.") from error
    known = {(role, name): group for role, name, group in rows}
    if "set" not in columns:
        owners: dict[str, str] = {}
        for role, images in by_role.items():
            for name in map(str, images.ids):
                if (None, name) in known and owners.setdefault(name, role) != role:
                    raise InputError(
                        f"{path}: {name!r} is an image of {owners[name]} and of {role}: add a "
                        f"column set with {', '.join(_ROLES)}."
                    )
    return {
        role: [
            known.get((role, str(name)), known.get((None, str(name)), "")) for name in images.ids
        ]
        for role, images in by_role.items()
    }


def _near_duplicates(
    by_role: Mapping[str, FeatureSet], honest: str, metric: Metric
) -> dict[str, list[str]]:
    """Clusters of the honest images; every other image stands for itself.

    Two held-out images are linked where they are closer than `_LINKED` of the held-out images are
    to training images: so close do independent images rarely come. Without held-out images,
    training images are linked within a third of the distance to their tenth neighbor.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    array = by_role[honest].array
    count = int(array.shape[0])
    search = nearest(array, array, k=min(_NEIGHBORS, count - 1), metric=metric, exclude_self=True)
    distances = to_numpy(search.distances)
    if honest == "test":
        to_train = to_numpy(nearest(array, by_role["train"].array, metric=metric).distances)
        near = distances < np.quantile(to_train[:, 0], _LINKED)
    else:
        tenth = distances[:, min(10, distances.shape[1]) - 1, None]
        near = distances <= tenth * (1 / 3 if metric == "euclidean" else 1 / 9)
    first, column = np.nonzero(near)
    second = to_numpy(search.indices)[first, column]
    links = coo_array((np.ones(len(first)), (first, second)), shape=(count, count))
    clusters = connected_components(links, directed=False)[1]
    names = {role: [""] * len(rows.ids) for role, rows in by_role.items()}
    names[honest] = [f"cluster {cluster}" for cluster in clusters]
    return names
