"""The copied fraction of an audit: in each space, and over all spaces together.

It compares closeness d1/d5, as `metrics.copied_fraction` does: a generator that draws where the
training images are dense comes nearer to them without copying. Several comparisons (families of
augmentations, spaces, local evidence) are combined like the tests of flags: each image's smallest
score, weighted, of which the null's own are known.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from genmem.auditing.augment_option import UNCHANGED
from genmem.auditing.feature_spaces import SpaceSearch
from genmem.auditing.groups import HonestUnits
from genmem.auditing.space_results import Floats, Ints
from genmem.auditing.space_tests import Statistic, TestResult, combine_tests, compute_tests
from genmem.auditing.statistics import AUGMENTED_WEIGHT
from genmem.metrics.copied_fraction import copied_fraction_from, relative_distances
from genmem.results import Result

_WITHOUT_INTERVAL = ("p_value", "fewest_below", "detectable_share")

_OF_GROUPS = (
    "the copied fraction is the share of the {count:,} groups of generated images whose closest "
    "image is closer to a training image than held-out groups ever are."
)


@dataclass(frozen=True, kw_only=True)
class Closeness:
    """What the copied fraction counts.

    Attributes:
        test: the statistics and their scores.
        train: int64 [T, n], the training row that each statistic is about.
    """

    test: TestResult
    train: Ints

    def values(self) -> tuple[Floats, Floats, Ints]:
        """Closeness of the generated images [n] and of honest units, and the training rows [n]."""
        if len(self.test.statistics) == 1:
            (statistic,) = self.test.statistics
            return statistic.generated, statistic.honest, self.train[0]
        chosen = self.test.scores.argmin(axis=0)
        train = self.train[chosen, np.arange(len(chosen))]
        return self.test.scores.min(axis=0), self.test.honest_scores.min(axis=0), train


def space_closeness(search: SpaceSearch, honest: HonestUnits) -> Closeness:
    """Closeness in one feature space, in every family of augmentations.

    Args:
        search: the searches in this space.
        honest: what counts once in the null.
    """
    statistics = [
        Statistic(
            name="d1/d5",
            generated=relative_distances(matches.distances),
            honest=honest.reduce(relative_distances(search.honest[family].distances)),
            weight=1.0 if family == UNCHANGED else AUGMENTED_WEIGHT,
            family=family,
        )
        for family, matches in search.generated.items()
    ]
    train = np.stack([matches.train[:, 0] for matches in search.generated.values()])
    return Closeness(test=compute_tests(statistics), train=train)


def combine_closeness(parts: Sequence[Closeness]) -> Closeness:
    """Closeness in several spaces, as one."""
    return Closeness(
        test=combine_tests([part.test for part in parts]),
        train=np.concatenate([part.train for part in parts]),
    )


def copied_share(closeness: Closeness, *, train_rows: int, honest: HonestUnits) -> Result | None:
    """`copied_fraction` of an audit; None without held-out images.

    Left-out training images come in pairs that are each other's nearest, so an interval from them
    would not hold.

    Args:
        closeness: of generated and honest images.
        train_rows: size of the training set, for the result.
        honest: what counts once. Of generated images in groups the closest of each counts, as of
            held-out ones, so the share is one of groups. Where held-out images were left out for
            the distance that is compared, the estimate counts whatever is closer than the others,
            honest near-duplicates too, and has no interval.
    """
    if honest.source != "test":
        return None
    generated, held_out, train = closeness.values()
    rows = honest.representatives(generated)
    result = copied_fraction_from(
        generated=generated[rows],
        test=held_out,
        nearest_train=train[rows],
        train_rows=train_rows,
    )
    if len(rows) < len(generated):
        result = replace(result, notes=(*result.notes, _OF_GROUPS.format(count=len(rows))))
    if not honest.biased:
        return result
    return replace(
        result,
        interval=None,
        parts={key: part for key, part in result.parts.items() if key not in _WITHOUT_INTERVAL},
        notes=(
            "no interval: held-out images that nearly repeat training images were left out "
            "(--drop-duplicates), and honest generated images that do so too would count as copies "
            "here.",
        ),
    )
