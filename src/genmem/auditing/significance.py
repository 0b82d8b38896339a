"""The significance of one space's matches: statistics, p-values, and their combination.

Every family of augmentations has a null distribution of its own: the nearest of ten crops is
nearer than the nearest image, and ordinary copies would be harder to detect if both had one null.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from genmem.auditing.augment_option import UNCHANGED
from genmem.auditing.feature_spaces import REFERENCE, SpaceSearch
from genmem.auditing.results import Bools, Floats, Ints, NullSample, SpaceResult
from genmem.auditing.search import Matches, most_significant_first
from genmem.calibration.null_distribution import (
    NullDistribution,
    combined_p_values,
    null_distribution,
)
from genmem.images import Augmentation
from genmem.metrics.copied_fraction import copied_fraction_from, snap_to_zero
from genmem.neighbors import Metric
from genmem.results import Result
from genmem.scoring.feature_sets import FeatureSets


def distance_statistic(matches: Matches, metric: Metric) -> tuple[Floats, str]:
    """What is compared with honest images, float64 [n], smaller meaning closer; and its name.

    Features: the distance to the nearest training image. Pixels: that distance divided by the one
    to the tenth nearest, since plain images (sky, studio backgrounds) are near to everything. The
    second nearest, as in the 1/3 rule, would hide copies of an image that the training set holds
    twice. A distance of 0 up to rounding counts as 0.
    """
    nearest = snap_to_zero(matches.distances[:, 0])
    if metric != "euclidean":
        return nearest, "distance"
    rank = min(REFERENCE, matches.distances.shape[1])
    reference = matches.distances[:, rank - 1]
    relative = np.divide(nearest, reference, out=np.zeros_like(nearest), where=reference > 0)
    return relative, f"distance relative to neighbor {rank}"


@dataclass(frozen=True, kw_only=True)
class TestResult:
    """The tests of one space, or of several together.

    Attributes:
        scores: the generated images' scores by test, float64 [T, n].
        honest_scores: the honest images' scores, each leaving itself out, float64 [T, m].
        copy_scores: the scores of a perfect copy, float64 [T, 1].
        p_values: the generated images' combined p-values, float64 [n].
        honest_p_values: the honest images' p-values, each leaving itself out, float64 [m].
        min_p_value: the p-value of a perfect copy.
    """

    scores: Floats
    honest_scores: Floats
    copy_scores: Floats
    p_values: Floats
    honest_p_values: Floats
    min_p_value: float


def combine_tests(results: Sequence[TestResult]) -> TestResult:
    """The tests of several spaces as one."""
    if len(results) == 1:
        return results[0]
    return _combine(
        scores=np.concatenate([result.scores for result in results]),
        honest_scores=np.concatenate([result.honest_scores for result in results]),
        copy_scores=np.concatenate([result.copy_scores for result in results]),
    )


def _combine(*, scores: Floats, honest_scores: Floats, copy_scores: Floats) -> TestResult:
    p_values, honest_p_values = combined_p_values(scores, honest_scores)
    least, _ = combined_p_values(copy_scores, honest_scores)
    return TestResult(
        scores=scores,
        honest_scores=honest_scores,
        copy_scores=copy_scores,
        p_values=p_values,
        honest_p_values=honest_p_values,
        min_p_value=float(least[0]),
    )


def _test(
    nulls: Mapping[str, NullDistribution],
    generated: Mapping[str, Floats],
    honest: Mapping[str, Floats],
) -> TestResult:
    """The test of one space from its statistics, by family."""
    scores = np.stack([nulls[family].scores(values) for family, values in generated.items()])
    honest_scores = np.stack(
        [nulls[family].leave_one_out_scores(values) for family, values in honest.items()]
    )
    copy_scores = np.stack([null.scores(np.zeros(1)) for null in nulls.values()])
    if len(nulls) > 1:
        return _combine(scores=scores, honest_scores=honest_scores, copy_scores=copy_scores)
    null = nulls[UNCHANGED]
    return TestResult(
        scores=scores,
        honest_scores=honest_scores,
        copy_scores=copy_scores,
        p_values=null.p_values(generated[UNCHANGED]),
        honest_p_values=null.leave_one_out_p_values(honest[UNCHANGED]),
        min_p_value=float(null.p_values(np.zeros(1))[0]),
    )


def compute_significance(
    search: SpaceSearch,
    sets: FeatureSets,
    *,
    k: int,
    augmentations: Sequence[Augmentation],
    excluded: Bools,
    biased: bool,
) -> tuple[SpaceResult, TestResult]:
    """P-values and copied fraction of one space.

    Args:
        search: the searches.
        sets: the sets in this space.
        k: neighbors to list.
        augmentations: all augmentations of the audit.
        excluded: bool [m], honest images left out as duplicates of training images.
        biased: some of them were left out for their distance, so that the others are farther off
            than honest images are, and the copied fraction has no interval.
    """
    statistics = {
        family: distance_statistic(matches, search.metric)
        for family, matches in search.generated.items()
    }
    generated = {family: values for family, (values, _) in statistics.items()}
    honest = {
        family: distance_statistic(matches, search.metric)[0][~excluded]
        for family, matches in search.honest.items()
    }
    nulls = {family: null_distribution(values) for family, values in honest.items()}
    test = _test(nulls, generated, honest)
    copied_fraction = None
    if "test" in sets.by_role:
        several = len(nulls) > 1
        copied_fraction = estimate_copied_fraction(
            generated=test.scores.min(axis=0) if several else generated[UNCHANGED],
            honest=test.honest_scores.min(axis=0) if several else honest[UNCHANGED],
            train_rows=int(sets.by_role["train"].array.shape[0]),
            biased=biased,
        )
    family = test.scores.argmin(axis=0)
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
        statistic=generated[UNCHANGED],
        statistic_name=statistics[UNCHANGED][1],
        p_values=test.p_values,
        null=_null_sample(nulls[UNCHANGED], sets, dropped=int(excluded.sum())),
        copied_fraction=copied_fraction,
        backbone=sets.describe_backbone(),
    )
    return result, test


def _ratios(search: SpaceSearch, family: Ints) -> Floats:
    """d1/d2 of each image in its most significant family, float64 [n]."""
    ratios = np.stack([_ratio(matches.distances) for matches in search.generated.values()])
    return ratios[family, np.arange(len(family))]


def _null_sample(null: NullDistribution, sets: FeatureSets, *, dropped: int) -> NullSample:
    return NullSample(
        source="test" if "test" in sets.by_role else "train",
        statistic=null.values,
        tail=null.tail,
        exponent=null.exponent,
        dropped=dropped,
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


def combine_copied_fractions(
    results: Sequence[SpaceResult], test: TestResult, *, biased: bool
) -> Result | None:
    """The copied fraction over all spaces, from the images' smallest scores; None without test."""
    first = results[0].copied_fraction
    if len(results) == 1 or first is None:
        return first
    return estimate_copied_fraction(
        generated=test.scores.min(axis=0),
        honest=test.honest_scores.min(axis=0),
        train_rows=first.n["train"],
        biased=biased,
    )


def estimate_copied_fraction(
    *, generated: Floats, honest: Floats, train_rows: int, biased: bool
) -> Result:
    """`copied_fraction` of an audit.

    Args:
        generated: float64 [n], statistics or scores, small for copies.
        honest: float64 [m], the same of held-out images.
        train_rows: size of the training set, for the result.
        biased: held-out images were left out for the distance that is compared. The estimate then
            counts whatever is closer than the others, honest near-duplicates too, and has no
            interval.
    """
    result = copied_fraction_from(generated=generated, test=honest, train_rows=train_rows)
    if not biased:
        return result
    uncertain = ("p_value", "fewest_below")
    return replace(
        result,
        interval=None,
        parts={name: value for name, value in result.parts.items() if name not in uncertain},
        notes=(
            "no interval: held-out images that nearly repeat training images were left out "
            "(--drop-duplicates), and honest generated images that do so too would count as copies "
            "here.",
        ),
    )


def _ratio(distances: Floats) -> Floats:
    """d1/d2, float64 [n]; 1 where both are 0 or there is no second."""
    if distances.shape[1] < 2:
        return np.ones(len(distances))
    first, second = snap_to_zero(distances[:, 0]), snap_to_zero(distances[:, 1])
    return np.divide(first, second, out=np.ones_like(first), where=second > 0)
