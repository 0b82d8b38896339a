"""Raters who look are kept, raters who do not are marked, and disagreeing marks nobody."""

import random

import pytest

from genmem.arena.ratings.assignment import REAL, REPEAT, SPOILED, SUBMISSION, plan_session
from genmem.arena.ratings.reliability import RatingRecord, check_rater


def answer(value, *, kind=SUBMISSION, question="quality", first=None, seconds=8.0, item=0):
    return RatingRecord(
        rater=1, item=item, kind=kind, question=question, value=value, seconds=seconds, first=first
    )


def controls(real, spoiled, question="quality"):
    return [
        answer(real, kind=REAL, question=question),
        answer(spoiled, kind=SPOILED, question=question),
    ]


def repeats(*pairs):
    return [answer(second, first=first) for first, second in pairs]


def session(rate, seed):
    """A whole session of somebody who rates by `rate(question, kind, entry)`."""
    answers = []
    for number, place in enumerate(
        plan_session(pages=20, controls=True, diversity_first=False, seed=seed)
    ):
        kind, entry, first = place.kind, number, None
        if place.kind == REPEAT:
            kind, entry, first = SUBMISSION, place.repeats, answers[place.repeats].value
        answers.append(
            answer(
                rate(place.question, kind, entry),
                kind=kind,
                question=place.question,
                first=first,
                item=entry,
            )
        )
    return check_rater(answers)


def test_who_rates_spoiled_images_as_high_as_real_ones_is_unreliable():
    assert not check_rater(controls(4, 1)).unreliable
    assert check_rater(controls(3, 3)).unreliable
    assert check_rater(controls(2, 5)).unreliable
    assert check_rater([*controls(5, 1), *controls(2, 2, "diversity")]).controls_passed == 1
    assert check_rater([*controls(5, 1), *controls(2, 2, "diversity")]).unreliable


def test_strict_and_mild_raters_pass_the_controls_alike():
    assert not check_rater(controls(2, 1)).unreliable
    assert not check_rater(controls(5, 4)).unreliable


def test_half_a_control_is_none():
    found = check_rater([answer(1, kind=REAL), answer(5, kind=SPOILED, question="diversity")])
    assert (found.controls, found.unreliable) == (0, False)


def test_a_third_of_the_repetitions_may_differ_and_no_more():
    assert not check_rater(repeats((3, 4), (2, 2), (1, 5))).unreliable
    assert check_rater(repeats((3, 5), (2, 2), (1, 5))).unreliable
    assert check_rater(repeats((3, 5), (2, 2), (1, 5), (4, 4))).unreliable


def test_two_repetitions_are_too_few_to_judge():
    found = check_rater(repeats((1, 5), (5, 1)))
    assert (found.repeats, found.repeats_passed, found.unreliable) == (2, 0, False)


def test_haste_needs_ten_pages_to_be_told():
    assert not check_rater([answer(3, seconds=0.5)] * 9).unreliable
    found = check_rater([answer(3, seconds=0.5)] * 10)
    assert found.unreliable
    assert "0.5 s" in found.failures[0]


def test_reliability_is_the_share_of_checks_passed():
    assert check_rater([]).reliability is None
    found = check_rater([*controls(5, 1), *repeats((3, 3), (3, 5), (2, 1))])
    assert found.reliability == pytest.approx(3 / 4)


def test_disagreeing_with_everybody_marks_nobody():
    def contrary(question, kind, entry):
        return {REAL: 5, SPOILED: 1}.get(kind, 1 + entry % 5)

    assert not session(contrary, 0).unreliable


def test_always_the_same_answer_is_always_marked():
    for value in range(1, 6):
        assert session(lambda *_, value=value: value, value).unreliable


def test_of_random_raters_about_ninety_five_in_a_hundred_are_marked():
    drawn = random.Random(0)
    marked = sum(session(lambda *_: drawn.randint(1, 5), seed).unreliable for seed in range(2000))
    assert 0.93 < marked / 2000 < 0.97


def test_of_careful_raters_few_are_marked():
    """Who wavers by one step in half of the cases, and sees that noise is no image."""
    drawn = random.Random(0)

    def careful(question, kind, entry):
        if kind in (REAL, SPOILED):
            return 5 if kind == REAL else 1
        return min(5, max(1, 1 + entry % 5 + drawn.choice((-1, 0, 0, 1))))

    marked = sum(session(careful, seed).unreliable for seed in range(1000))
    assert marked / 1000 < 0.1
