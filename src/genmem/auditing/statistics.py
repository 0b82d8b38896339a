"""What an audit compares with honest images in one feature space, and how much each counts.

| statistic | weight |
|---|---|
| distance to the nearest training image (pixels: relative to the tenth nearest) | 1 |
| d1/d2, in spaces of features | `RATIO_WEIGHT` |
| either, for each family of augmented training images | times `AUGMENTED_WEIGHT` |

An image's p-value rests on its smallest score over all of them, compared with the smallest of each
honest image. Each further statistic lowers honest images' smallest scores, so copies that others
find need a smaller score. Divided by a weight w, a statistic adds w times as many small scores: the
honest images' smallest are then as small as with 1 + w statistics. Copies that only it finds need
scores smaller by 1/w, which costs them little: what nearly equals an augmented training image lies
so far below all honest images that its score falls along the power law by many powers of ten. The
weights are set in advance, so the error rate is that of any combination. Measurements:
`docs/detection.md`.
"""

from __future__ import annotations

import numpy as np

from genmem.auditing.augment_option import UNCHANGED
from genmem.auditing.feature_spaces import REFERENCE, SpaceSearch
from genmem.auditing.groups import HonestUnits
from genmem.auditing.search import Matches
from genmem.auditing.space_results import Floats
from genmem.auditing.space_tests import Statistic
from genmem.metrics.copied_fraction import snap_to_zero
from genmem.neighbors import Metric

RATIO_WEIGHT = 0.1
"""Of d1/d2 in features: it sees copies that lie as far off as honest images do."""

AUGMENTED_WEIGHT = 0.02
"""Of each family of augmentations in each space."""


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


def distance_ratio(matches: Matches) -> Floats:
    """d1/d2, float64 [n]; 1 where both are 0 or there is no second."""
    if matches.distances.shape[1] < 2:
        return np.ones(len(matches.distances))
    first, second = snap_to_zero(matches.distances[:, 0]), snap_to_zero(matches.distances[:, 1])
    return np.divide(first, second, out=np.ones_like(first), where=second > 0)


def space_statistics(search: SpaceSearch, honest: HonestUnits) -> list[Statistic]:
    """All statistics of one space, that of the unchanged training images first.

    d1/d2 is a statistic beside the distance, not instead of it: it is blind to copies of an image
    that the training set holds twice, and sees those that blur, watermarks or a small size have
    moved as far from their source as honest images are, yet farther from all others.

    Args:
        search: the searches in this space.
        honest: what counts once in the null.
    """
    statistics = []
    for family, matches in search.generated.items():
        honest_matches = search.honest[family]
        weight = 1.0 if family == UNCHANGED else AUGMENTED_WEIGHT
        values, name = distance_statistic(matches, search.metric)
        honest_values, _ = distance_statistic(honest_matches, search.metric)
        statistics.append(
            Statistic(
                name=name,
                generated=values,
                honest=honest.reduce(honest_values),
                weight=weight,
                family=family,
            )
        )
        if search.metric != "euclidean":
            statistics.append(
                Statistic(
                    name="d1/d2",
                    generated=distance_ratio(matches),
                    honest=honest.reduce(distance_ratio(honest_matches)),
                    weight=weight * RATIO_WEIGHT,
                    family=family,
                )
            )
    return statistics
