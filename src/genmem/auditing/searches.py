"""All searches of an audit: repetitions, groups, every feature space, and local evidence."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from genmem.arrays import check_at_least, take_rows
from genmem.auditing.arguments import MIN_TRAIN, NULL_ROWS, Arguments
from genmem.auditing.augment_option import flatten
from genmem.auditing.cost_estimate import estimate_duplicates, estimate_search
from genmem.auditing.duplicates import TrainDuplicates, find_train_duplicates
from genmem.auditing.feature_spaces import SpaceSearch, distance_metric, search_space
from genmem.auditing.group_labels import find_groups
from genmem.auditing.groups import Groups, train_groups
from genmem.auditing.local_search import LocalSearch, search_local
from genmem.auditing.search import Queries
from genmem.auditing.space_results import Ints
from genmem.scoring.feature_sets import FeatureSets


@dataclass(frozen=True, kw_only=True)
class Searches:
    """What was searched, and what was found.

    Attributes:
        spaces: the sets in every feature space.
        by_space: the nearest training images in each of these.
        local: local evidence, or why there is none.
        duplicates: repetitions inside train, and the training rows that are compared with.
        groups: the images' groups; None where each image stands for itself.
    """

    spaces: Sequence[FeatureSets]
    by_space: Sequence[SpaceSearch]
    local: LocalSearch
    duplicates: TrainDuplicates
    groups: Groups | None


def search_spaces(arguments: Arguments, spaces: Sequence[FeatureSets]) -> Searches:
    """Search generated and honest images among the training images, in every space.

    Args:
        arguments: checked.
        spaces: the sets in every feature space, of `loading.load_spaces`.

    Raises:
        InputError: too few training images are left without duplicates, or groups are broken.
        UsageError: local evidence is asked for and cannot be had, or groups do not fit.
    """
    duplicates = _find_duplicates(arguments, spaces[0])
    groups = _find_groups(arguments, spaces[0])
    by_space = [_search(arguments, sets, duplicates.unique_rows, groups) for sets in spaces]
    return Searches(
        spaces=spaces,
        by_space=by_space,
        local=_search_local(arguments, spaces[0], by_space, duplicates, groups),
        duplicates=duplicates,
        groups=groups,
    )


def _find_duplicates(arguments: Arguments, sets: FeatureSets) -> TrainDuplicates:
    """Repetitions inside train, and the training rows to compare with."""
    arguments.announce(estimate_duplicates(sets))
    with arguments.timed("duplicates in train"):
        duplicates = find_train_duplicates(
            sets, seed=arguments.seed, drop=arguments.drop_duplicates
        )
    if not arguments.drop_duplicates:
        every_row = np.arange(int(sets.by_role["train"].array.shape[0]))
        return TrainDuplicates(pairs=duplicates.pairs, unique_rows=every_row)
    why = "an audit compares with several images, and the others are duplicates."
    check_at_least(len(duplicates.unique_rows), MIN_TRAIN, role="train", why=why)
    return duplicates


def _find_groups(arguments: Arguments, sets: FeatureSets) -> Groups | None:
    """The images' groups, where they count."""
    if arguments.groups is None:
        return None
    with arguments.timed("groups"):
        return find_groups(arguments.groups, sets.by_role, metric=distance_metric(sets.backbone))


def _search(
    arguments: Arguments, sets: FeatureSets, train_rows: Ints, groups: Groups | None
) -> SpaceSearch:
    """Generated and honest images, compared with the training images in one space."""
    honest = _honest_queries(sets, train_rows, groups, arguments.seed)
    queries = int(sets.by_role["generated"].array.shape[0]) + int(honest.array.shape[0])
    families = arguments.families_of(sets.extractor)
    arguments.announce(estimate_search(sets, queries, len(train_rows) * len(flatten(families))))
    with arguments.timed(f"search in {sets.backbone}"):
        return search_space(
            sets,
            families=families,
            honest=honest,
            train_rows=train_rows,
            k=arguments.neighbors,
            options=arguments.options,
        )


def _search_local(
    arguments: Arguments,
    sets: FeatureSets,
    searches: Sequence[SpaceSearch],
    duplicates: TrainDuplicates,
    groups: Groups | None,
) -> LocalSearch:
    """Local evidence, or why it was not looked for."""
    with arguments.timed("local evidence"):
        return search_local(
            arguments.local,
            sets.by_role,
            searches,
            train_rows=duplicates.unique_rows,
            duplicates=duplicates.pairs,
            groups=groups,
            seed=arguments.seed,
            options=arguments.options,
        )


def _honest_queries(
    sets: FeatureSets, train_rows: Ints, groups: Groups | None, seed: int
) -> Queries:
    """Held-out images, or else a seeded sample of the training images, each left out in turn."""
    if "test" in sets.by_role:
        return Queries(array=sets.by_role["test"].array)
    chosen = train_rows
    if len(train_rows) > NULL_ROWS:
        chosen = np.sort(np.random.default_rng(seed).choice(train_rows, NULL_ROWS, replace=False))
    return Queries(
        array=take_rows(sets.by_role["train"].array, chosen),
        train_rows=chosen,
        train_groups=None if groups is None else train_groups(groups, train_rows),
    )
