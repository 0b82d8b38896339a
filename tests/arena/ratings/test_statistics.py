"""Means, their intervals, and agreement, against numbers from elsewhere."""

import random

import pytest

from genmem.arena.ratings.assignment import REAL, SUBMISSION
from genmem.arena.ratings.reliability import RatingRecord
from genmem.arena.ratings.statistics import agreement, mean_rating


def answers(table, kind=SUBMISSION, first=None):
    """From rows (one a rater) of values, None where they did not rate the entry."""
    return [
        RatingRecord(
            rater=rater, item=item, kind=kind, question="quality", value=value, seconds=5.0,
            first=first,
        )
        for rater, row in enumerate(table)
        for item, value in enumerate(row)
        if value is not None
    ]  # fmt: skip


KRIPPENDORFF = [
    [1, 2, 3, 3, 2, 1, 4, 1, 2, None, None, None],
    [1, 2, 3, 3, 2, 2, 4, 1, 2, 5, None, 3],
    [None, 3, 3, 3, 2, 3, 4, 2, 2, 5, 1, None],
    [1, 2, 3, 3, 2, 4, 4, 1, 2, 5, 1, None],
]
"""The example of Krippendorff's "Computing Krippendorff's Alpha-Reliability" (2011), part C."""


def test_alpha_is_that_of_krippendorffs_own_example():
    found = agreement(answers(KRIPPENDORFF))
    assert found.alpha == pytest.approx(0.815, abs=5e-4)
    assert (found.submissions, found.raters, found.ratings) == (11, 4, 40)
    assert found.interval is not None
    assert found.interval.low < found.alpha < found.interval.high <= 1


def test_controls_and_repetitions_are_in_no_alpha():
    found = answers(KRIPPENDORFF)
    more = [*answers([[5, 1], [1, 5]], kind=REAL), *answers([[5, 1, 5, 1]], first=3)]
    assert agreement([*found, *more]) == agreement(found)


def test_alpha_is_not_defined_without_variation_or_shared_submissions():
    assert agreement([]).reason == "no submission has two ratings yet"
    assert agreement(answers([[1, None], [None, 2]])).alpha is None
    assert agreement(answers([[3, 3], [3, 3]])).reason == "all ratings are equal"


def test_two_submissions_give_an_alpha_without_an_interval():
    found = agreement(answers([[1, 5], [1, 5]]))
    assert found.alpha == 1.0
    assert found.interval is None


def test_the_mean_has_students_interval():
    found = mean_rating([3, 4, 4, 5])
    assert found.value == 4.0
    assert found.counts == (0, 0, 1, 2, 1)
    assert found.interval is not None
    assert found.interval.low == pytest.approx(4 - 3.18245 * (2 / 3 + 1 / 12) ** 0.5 / 2, abs=1e-4)
    assert found.interval.high == 5.0


def test_equal_ratings_have_an_interval_of_some_width():
    few, many = mean_rating([5] * 4).interval, mean_rating([5] * 15).interval
    assert few is not None
    assert many is not None
    assert 4.4 < few.low < many.low < 4.9


def test_one_rating_has_no_interval_and_none_has_no_mean():
    assert (mean_rating([2]).value, mean_rating([2]).interval) == (2.0, None)
    assert (mean_rating([]).value, mean_rating([]).interval, mean_rating([]).n) == (None, None, 0)


def test_the_interval_holds_the_truth_as_often_as_it_says():
    drawn = random.Random(0)
    truth = (1 + 2 + 3 * 2 + 4 * 3 + 5) / 8
    found = [
        mean_rating([drawn.choice((1, 2, 3, 3, 4, 4, 4, 5)) for _ in range(15)])
        for _ in range(1000)
    ]
    held = sum(one.interval.low <= truth <= one.interval.high for one in found)
    assert 0.93 < held / 1000 < 0.97
