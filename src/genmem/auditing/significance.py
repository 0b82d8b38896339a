"""The significance of one space's matches: statistics, p-values, and their combination.

Every family of augmentations has a null distribution of its own: the nearest of ten crops is
nearer than the nearest image, and ordinary copies would be harder to detect if both had one null.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from genmem.auditing.copied_share import (
    Closeness,
    combine_closeness,
    copied_share,
    space_closeness,
)
from genmem.auditing.feature_spaces import SpaceSearch
from genmem.auditing.groups import HonestUnits
from genmem.auditing.search import Matches, most_significant_first
from genmem.auditing.space_results import Floats, Ints, NullSample, SpaceResult
from genmem.auditing.space_tests import Statistic, TestResult, compute_tests
from genmem.auditing.statistics import distance_ratio, space_statistics
from genmem.calibration.null_distribution import NullDistribution
from genmem.images import Augmentation
from genmem.results import Result
from genmem.scoring.feature_sets import FeatureSets


def compute_significance(
    search: SpaceSearch,
    sets: FeatureSets,
    *,
    k: int,
    augmentations: Sequence[Augmentation],
    honest: HonestUnits,
) -> tuple[SpaceResult, TestResult]:
    """P-values and copied fraction of one space.

    Args:
        search: the searches.
        sets: the sets in this space.
        k: neighbors to list.
        augmentations: all augmentations of the audit.
        honest: what counts once in the null.
    """
    statistics = space_statistics(search, honest)
    test = compute_tests(statistics)
    families = list(search.generated)
    tested = np.array([families.index(statistic.family) for statistic in statistics])
    family = tested[test.scores.argmin(axis=0)]
    listed = _listed_matches(search, family, augmentations, k)
    result = SpaceResult(
        name=search.name,
        metric=search.metric,
        distances=listed.distances,
        train=listed.train,
        augmentations=listed.augmentations,
        compared=np.concatenate(
            [_positions(group, augmentations) for group in search.families.values()]
        ),
        ratio=_ratios(search, family),
        statistic=statistics[0].generated,
        statistic_name=statistics[0].name,
        p_values=test.p_values,
        null=_null_sample(test.nulls[0], honest),
        copied_fraction=copied_share(
            space_closeness(search, honest),
            train_rows=int(sets.by_role["train"].array.shape[0]),
            honest=honest,
        ),
        backbone=sets.describe_backbone(),
    )
    return result, test


def compute_evidence(
    statistic: Statistic,
    *,
    space: str,
    metric: str,
    train: Ints,
    train_rows: int,
    honest: HonestUnits,
) -> tuple[SpaceResult, TestResult]:
    """A test beside the feature spaces' (local evidence), as a space of its own.

    Args:
        statistic: of the generated images [n], and of all honest ones [m].
        space: its name among the spaces ("local").
        metric: what the statistic measures.
        train: int64 [n], for each generated image the training row with the smallest statistic.
        train_rows: size of the training set.
        honest: what counts once in the null.
    """
    test = compute_tests([replace(statistic, honest=honest.reduce(statistic.honest))])
    images = len(statistic.generated)
    result = SpaceResult(
        name=space,
        metric=metric,
        distances=statistic.generated[:, None],
        train=train[:, None],
        augmentations=np.zeros((images, 1), dtype=np.int64),
        compared=np.zeros(1, dtype=np.int64),
        ratio=np.ones(images),
        statistic=statistic.generated,
        statistic_name=statistic.name,
        p_values=test.p_values,
        null=_null_sample(test.nulls[0], honest),
        copied_fraction=copied_share(
            Closeness(test=test, train=train[None]), train_rows=train_rows, honest=honest
        ),
        backbone={},
    )
    return result, test


def combined_copied_fraction(
    results: Sequence[SpaceResult],
    searches: Sequence[SpaceSearch],
    evidence: Sequence[TestResult],
    honest: HonestUnits,
) -> Result | None:
    """The copied fraction over all spaces; None without held-out images.

    Args:
        results: of every space, and of evidence beside them.
        searches: in the feature spaces.
        evidence: tests beside the feature spaces, whose results come last.
        honest: what counts once in the null.
    """
    first = results[0].copied_fraction
    if len(results) == 1 or first is None:
        return first
    parts = [space_closeness(search, honest) for search in searches]
    for result, test in zip(results[len(searches) :], evidence, strict=True):
        parts.append(Closeness(test=test, train=result.train.T))
    return copied_share(combine_closeness(parts), train_rows=first.n["train"], honest=honest)


def _ratios(search: SpaceSearch, family: Ints) -> Floats:
    """d1/d2 of each image in its most significant family, float64 [n]."""
    ratios = np.stack([distance_ratio(matches) for matches in search.generated.values()])
    return ratios[family, np.arange(len(family))]


def _null_sample(null: NullDistribution, honest: HonestUnits) -> NullSample:
    return NullSample(
        source=honest.source,
        statistic=null.values,
        tail=null.tail,
        exponent=null.exponent,
        dropped=honest.dropped,
        shared=honest.shared,
        images=None if honest.groups is None else honest.images,
    )


def _positions(family: Sequence[Augmentation], augmentations: Sequence[Augmentation]) -> Ints:
    """Positions of a family's augmentations among all of the audit, int64 [f]."""
    return np.array([augmentations.index(augmentation) for augmentation in family], np.int64)


def _listed_matches(
    search: SpaceSearch, family: Ints, augmentations: Sequence[Augmentation], k: int
) -> Matches:
    """The match in each image's most significant family, then the nearest others."""
    matches = []
    for name, in_family in search.generated.items():
        # Augmentations are numbered within a family; here, as among all of the audit.
        places = _positions(search.families[name], augmentations)
        matches.append(replace(in_family, augmentations=places[in_family.augmentations]))
    return most_significant_first(matches, family, k)
