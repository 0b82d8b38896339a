"""Tests of generated images against honest ones: any number of statistics, as one p-value.

A statistic is small for copies. Each has a null distribution of its own, from the same statistic of
honest images, which turns it into a score (`NullDistribution.scores`). An image's scores, each
divided by its statistic's weight, are combined by their minimum, which is tested again among the
honest images (`calibration.null_distribution.combined_p_values`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from genmem.auditing.space_results import Floats, Ints
from genmem.calibration.null_distribution import (
    NullDistribution,
    combined_p_values,
    null_distribution,
)


@dataclass(frozen=True, kw_only=True)
class Statistic:
    """One statistic of all images, smaller meaning closer to the training images.

    Attributes:
        name: what it measures ("distance", "d1/d2", "local evidence").
        generated: of the generated images, float64 [n], not negative; 0 is a perfect copy's.
        honest: of the honest images, float64 [m].
        weight: its scores are divided by it: 1 for the main tests, less for those that should
            raise the others' p-values little.
        family: of augmentations of the training images that it compares with; empty where it does
            not compare with any.
    """

    name: str
    generated: Floats
    honest: Floats
    weight: float = 1.0
    family: str = ""


@dataclass(frozen=True, kw_only=True)
class TestResult:
    """The tests of one space, or of several together.

    Attributes:
        statistics: what was tested, [T].
        nulls: their null distributions, [T].
        scores: the generated images' scores by test, divided by the weights, float64 [T, n].
        honest_scores: the honest images' scores, each leaving itself out, float64 [T, m].
        p_values: the generated images' combined p-values, float64 [n].
        honest_p_values: the honest images' p-values, each leaving itself out, float64 [m].
        min_p_value: the p-value of a perfect copy.
    """

    statistics: tuple[Statistic, ...]
    nulls: tuple[NullDistribution, ...]
    scores: Floats
    honest_scores: Floats
    p_values: Floats
    honest_p_values: Floats
    min_p_value: float

    def p_values_of(self, statistics: Sequence[Floats]) -> Floats:
        """The combined p-values of further images, float64 [k].

        Args:
            statistics: of these images, for each test in order, float64 [k].
        """
        if len(self.nulls) == 1:
            return self.nulls[0].p_values(np.asarray(statistics[0]))
        return combined_p_values(self.scores_of(statistics), self.honest_scores)[0]

    def scores_of(self, statistics: Sequence[Floats]) -> Floats:
        """The scores of further images, float64 [T, k]; arguments as of `p_values_of`."""
        return np.stack(
            [
                null.scores(np.asarray(values)) / statistic.weight
                for null, statistic, values in zip(
                    self.nulls, self.statistics, statistics, strict=True
                )
            ]
        )


def compute_tests(statistics: Sequence[Statistic]) -> TestResult:
    """The tests of some statistics, combined.

    Args:
        statistics: at least one, all of the same generated and honest images.
    """
    tests = [_single(statistic) for statistic in statistics]
    return combine_tests(tests)


def combine_tests(results: Sequence[TestResult]) -> TestResult:
    """The tests of several spaces as one."""
    if len(results) == 1:
        return results[0]
    scores = np.concatenate([result.scores for result in results])
    honest_scores = np.concatenate([result.honest_scores for result in results])
    p_values, honest_p_values = combined_p_values(scores, honest_scores)
    least, _ = combined_p_values(np.zeros((len(scores), 1)), honest_scores)
    return TestResult(
        statistics=tuple(statistic for result in results for statistic in result.statistics),
        nulls=tuple(null for result in results for null in result.nulls),
        scores=scores,
        honest_scores=honest_scores,
        p_values=p_values,
        honest_p_values=honest_p_values,
        min_p_value=float(least[0]),
    )


def most_significant(results: Sequence[TestResult]) -> Ints:
    """int64 [n]: which of several tests has the smallest p-value; of equal ones, score."""
    p_values = np.stack([result.p_values for result in results])
    scores = np.stack([result.scores.min(axis=0) for result in results])
    return np.lexsort((scores, p_values), axis=0)[0]


def _single(statistic: Statistic) -> TestResult:
    """The test of one statistic alone: its p-values need no second test."""
    null = null_distribution(statistic.honest)
    return TestResult(
        statistics=(statistic,),
        nulls=(null,),
        scores=null.scores(statistic.generated)[None] / statistic.weight,
        honest_scores=null.leave_one_out_scores(statistic.honest)[None] / statistic.weight,
        p_values=null.p_values(statistic.generated),
        honest_p_values=null.leave_one_out_p_values(statistic.honest),
        min_p_value=float(null.p_values(np.zeros(1))[0]),
    )
