"""The option `--groups`: the group of each image, by folder, file, given labels or likeness."""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from genmem.arrays import to_numpy
from genmem.auditing.groups import NONE_LEFT, Groups, Ints, train_groups
from genmem.errors import InputError, UsageError
from genmem.features import load_features
from genmem.features.extract import RowIds
from genmem.images import ImageSource
from genmem.neighbors import Metric, nearest
from genmem.scoring.feature_sets import FeatureSet
from genmem.scoring.stored_sets import StoredSet

NEAR_DUPLICATES = "near-duplicates"
"""`--groups near-duplicates`: held-out images that nearly repeat each other are one group."""

GroupsOption = int | str | Path | Mapping[str, Sequence[object]]
"""A folder level, "near-duplicates", a CSV file, or labels by role, one an image."""

_LINKED = 0.05
_NEIGHBORS = 50
_ROLES = ("generated", "train", "test")


def check_groups(option: GroupsOption | None) -> None:
    """Refuse an option that means nothing, before anything is read.

    Raises:
        UsageError: no folder level, rule, file or labels by role.
    """
    if option is None:
        return
    if isinstance(option, Mapping):
        if not option or set(option) - set(_ROLES):
            raise UsageError(
                f"groups: expected labels of {', '.join(_ROLES)}, got "
                f"{', '.join(sorted(map(str, option))) or 'none'}."
            )
        for role, labels in option.items():
            if isinstance(labels, str) or not isinstance(labels, Sequence | np.ndarray):
                raise UsageError(
                    f"groups: expected a list of labels of {role}, one an image, got "
                    f"{str(labels)[:40]!r}."
                )
        return
    level = _level(option)
    if level is not None:
        if level < 1:
            raise UsageError(f"groups: expected a folder level of at least 1, got {level}.")
    elif option != NEAR_DUPLICATES and not _is_file(option):
        raise UsageError(
            f"groups: expected a folder level (1, 2, …), {NEAR_DUPLICATES}, or a CSV file with the "
            f"columns id and group, got {str(option)!r}, which is no file."
        )


def check_group_labels(option: GroupsOption | None, sets: Mapping[str, Any]) -> None:
    """Refuse groups that do not go with the images, before any feature is extracted.

    Near-duplicates need features, and are not looked at.

    Args:
        option: as of `genmem.audit`; passes `check_groups`.
        sets: by role, opened images or features.

    Raises:
        InputError: a file or labels that do not go with the images, or groups that leave no honest
            image.
        UsageError: no image lies in folders so deep.
    """
    if option is None or option == NEAR_DUPLICATES:
        return
    ids = {role: _ids(images, role) for role, images in sets.items() if role in _ROLES}
    groups = _label_groups(option, ids)
    if "test" not in ids:
        train_groups(groups, np.arange(len(ids["train"])))
    elif groups.in_train().all():
        raise InputError(NONE_LEFT)


def _ids(images: Any, role: str) -> Sequence[str]:
    """The ids of an opened set."""
    if isinstance(images, StoredSet):
        return images.reference.ids(images.role)
    if isinstance(images, ImageSource):
        return RowIds(np.arange(len(images)), images)
    return load_features(images, role=role).ids


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
    if option == NEAR_DUPLICATES:
        labels = _near_duplicates(by_role, _honest(by_role), metric)
        return Groups(rule="near-duplicates", by_role=_numbered(labels))
    if isinstance(option, Mapping):
        option = {role: _of_rows(option[role], by_role[role]) for role in by_role if role in option}
    return _label_groups(option, {role: rows.ids for role, rows in by_role.items()})


def _of_rows(labels: Sequence[object], rows: FeatureSet) -> Sequence[object]:
    """Labels of all images of a set without those of broken images that were left out."""
    if rows.source is None or len(labels) != len(rows.source):
        return labels
    return [labels[position] for position in rows.positions.tolist()]


def _label_groups(option: GroupsOption, ids: Mapping[str, Sequence[str]]) -> Groups:
    """The groups by folder, file or given labels, from the images' ids alone."""
    honest = _honest(ids)
    level = _level(option)
    if isinstance(option, Mapping):
        rule, labels = "the given labels", _given(option, ids)
        if not any(labels[honest]):
            raise InputError(f"groups: expected labels of {honest}, which show what chance does.")
    elif level is not None:
        rule = "the first folder" if level == 1 else f"the first {level} folders"
        labels = {role: _folders(names, level) for role, names in ids.items()}
        if not any(labels[honest]):
            raise UsageError(
                f"groups: no {'held-out' if honest == 'test' else 'training'} image lies in "
                f"{level} folder{'s' if level > 1 else ''}: the first is "
                f"{str(ids[honest][0])!r}. Give another level, or a CSV file."
            )
    else:
        path = Path(str(option))
        rule, labels = f"the column group of {path.name}", _table(path, ids)
        if not any(labels[honest]):
            raise InputError(
                f"{option}: expected the ids of {honest} images, such as "
                f"{str(ids[honest][0])!r}, in the column id, found none of them."
            )
    return Groups(rule=rule, by_role=_numbered(labels))


def _honest(by_role: Mapping[str, object]) -> str:
    """The role of the images that serve as honest ones."""
    return "test" if "test" in by_role else "train"


def _level(option: object) -> int | None:
    """A folder level; None for any other option, True and False too."""
    if isinstance(option, int | np.integer) and not isinstance(option, bool):
        return int(option)
    if isinstance(option, str) and re.fullmatch(r"-?[0-9]{1,9}", option):
        return int(option)
    return None


def _is_file(option: object) -> bool:
    return isinstance(option, str | Path) and Path(option).is_file()


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
    labels: Mapping[str, Sequence[object]], ids: Mapping[str, Sequence[str]]
) -> dict[str, list[str]]:
    """Labels by role, as texts; none for roles that have none."""
    result = {}
    for role, images in ids.items():
        names = ["" if label is None else str(label) for label in labels.get(role, ())]
        if role in labels and len(names) != len(images):
            raise InputError(
                f"groups: expected {len(images):,} labels of {role}, got {len(names):,}."
            )
        result[role] = names or [""] * len(images)
    return result


def _table(path: Path, ids: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
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
        for role, images in ids.items():
            for name in map(str, images):
                if (None, name) in known and owners.setdefault(name, role) != role:
                    raise InputError(
                        f"{path}: {name!r} is an image of {owners[name]} and of {role}: add a "
                        f"column set with {', '.join(_ROLES)}."
                    )
    return {
        role: [known.get((role, str(name)), known.get((None, str(name)), "")) for name in images]
        for role, images in ids.items()
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
