"""Reviewers' marks, and the share of false flags with its exact interval."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest

from genmem.auditing.review import KIND, MARKS, read_marks, review_flags
from genmem.errors import InputError, UsageError


@given(st.lists(st.sampled_from(["copy", "not-a-copy", None]), min_size=1, max_size=60))
def test_the_rate_is_that_of_the_decided_pairs_and_its_interval_is_exact(given_marks):
    marks = {row: mark for row, mark in enumerate(given_marks) if mark}
    review = review_flags(marks, range(len(given_marks)))
    assert review.marked == len(marks)
    if not marks:
        assert (review.rate, review.low, review.high) == (None, 0.0, 1.0)
        return
    false = sum(mark == "not-a-copy" for mark in marks.values())
    assert review.rate == false / len(marks)
    expected = binomtest(false, len(marks)).proportion_ci(0.95, "exact")
    assert (review.low, review.high) == pytest.approx((expected.low, expected.high), abs=1e-9)


@given(st.lists(st.sampled_from(MARKS), min_size=1, max_size=40))
def test_an_unsure_pair_widens_the_interval_as_a_copy_and_as_none(given_marks):
    review = review_flags(dict(enumerate(given_marks)), range(len(given_marks)))
    for instead in ("copy", "not-a-copy"):
        decided = [instead if mark == "unsure" else mark for mark in given_marks]
        other = review_flags(dict(enumerate(decided)), range(len(decided)))
        assert review.low <= other.low
        assert other.high <= review.high


def test_marks_of_images_that_are_not_flagged_do_not_count():
    review = review_flags({0: "copy", 1: "not-a-copy", 7: "not-a-copy"}, [0, 3])
    assert (review.flagged, review.marked, review.rate) == (2, 1, 0.0)


def test_marks_are_read_for_their_audit_only(tmp_path):
    path = tmp_path / "marks.json"
    entries = [{"row": 3, "mark": "copy", "generated": "a"}, {"row": 5, "mark": "unsure"}]
    path.write_text(json.dumps({"kind": KIND, "audit": "d1", "marks": entries}))
    assert read_marks(path, digest="d1") == {3: "copy", 5: "unsure"}
    with pytest.raises(UsageError, match="marks of another audit"):
        read_marks(path, digest="d2")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("no JSON", "expected marks as JSON"),
        ('{"kind": "tax"}', "expected marks that an audit's page exported"),
        ('{"kind": "genmem audit marks", "audit": "d", "marks": 5}', "a list of marks, got 5"),
        ('{"kind": "genmem audit marks", "audit": "d"}', "a list of marks, got null"),
        ('{"kind": "genmem audit marks", "audit": "d", "marks": [7]}', "expected a row and a mark"),
        (
            '{"kind": "genmem audit marks", "audit": "d", "marks": [{"row": true, "mark": "copy"}]'
            "}",
            "expected a row and a mark",
        ),
        (
            '{"kind": "genmem audit marks", "audit": "d", "marks": [{"row": 1, "mark": ["copy"]}]}',
            "expected a row and a mark",
        ),
        (
            '{"kind": "genmem audit marks", "audit": "d", "marks": [{"row": 1, "mark": "ok"}]}',
            "copy, not-a-copy, unsure",
        ),
    ],
)
def test_a_file_without_marks_is_refused(tmp_path, content, message):
    path = tmp_path / "marks.json"
    path.write_text(content)
    with pytest.raises(InputError, match=message):
        read_marks(path, digest="d")
