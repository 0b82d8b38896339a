"""The review queue never wastes a review, and says how many are left."""

from datetime import UTC, datetime, timedelta
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genmem.arena.leaderboards.ranking import Entry, rank
from genmem.arena.moderation.consensus import COPYING, LEGITIMATE, Verdict, verdict
from genmem.arena.moderation.queue import entries_reviewed, review_queue

START = datetime(2026, 1, 1, tzinfo=UTC)
labels = st.lists(st.sampled_from([LEGITIMATE, *COPYING]), max_size=4)
scores = st.one_of(st.none(), st.integers(0, 4).map(float), st.floats(0, 9))


def entry(number, team, score):
    at = START + timedelta(minutes=number % 3)
    return Entry(team=team, submission=f"{number:03d}", score=score, received_at=at)


def boards(largest):
    rows = st.lists(st.tuples(st.integers(0, 4), scores), max_size=largest)
    return rows.map(lambda found: [entry(n, *row) for n, row in enumerate(found)])


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([], Verdict()),
        (["legitimate"], Verdict(given=1, leaning="legitimate")),
        (["MGAN"], Verdict(given=1, leaning="MGAN")),
        (["legitimate"] * 2, Verdict(label="legitimate", given=2, leaning="legitimate")),
        (["legitimate", "MGAN"], Verdict(given=2, disputed=True)),
        (["MGAN", "SUP"], Verdict(given=2, disputed=True)),
        (["MGAN", "legitimate", "MGAN"], Verdict(label="MGAN", given=3)),
        (["MGAN", "legitimate"] * 2, Verdict(given=4, disputed=True)),
    ],
)
def test_two_reviewers_settle_a_submission_unless_others_disagree_as_much(given, expected):
    assert verdict(given) == expected


@given(labels, st.randoms())
def test_the_order_of_the_labels_does_not_matter(given, random):
    shuffled = list(given)
    random.shuffle(shuffled)
    assert verdict(shuffled) == verdict(given)


@given(labels)
def test_a_verdict_is_settled_or_says_how_many_more_reviews_it_takes(given):
    found = verdict(given)
    assert (found.needed == 0) == bool(found.label)
    if not found.label:
        more = [given[0] if given else LEGITIMATE] * found.needed
        assert found.disputed or verdict([*given, *more]).label


@given(boards(12), st.data(), st.integers(1, 4))
def test_what_is_to_be_reviewed_now_stands_in_the_top_whatever_falls(entries, data, top):
    found = {
        one.submission: verdict(data.draw(labels)) for one in entries if data.draw(st.booleans())
    }
    queue = review_queue(entries, found, top=top)
    others = [
        one
        for one in entries
        if data.draw(st.booleans()) or one.submission in {i.entry.submission for i in queue.now}
    ]
    left = [one for one in others if not found.get(one.submission, Verdict()).copying]
    inside = {placed.entry.submission for placed in rank(left)[:top]}
    assert {item.entry.submission for item in queue.now} <= inside


def walk(entries, truth, top):
    """Two reviewers who always take the first of the queue; agreed copies are disqualified."""
    found, reviews = {}, 0
    while True:
        queue = review_queue(entries, {k: verdict(v) for k, v in found.items()}, top=top)
        if queue.done:
            return reviews, queue
        if queue.now:
            first = queue.now[0].entry.submission
            assert queue.reviews > 0
            found.setdefault(first, []).append(truth[first])
            reviews += 1
        else:
            gone = {item.entry.submission for item in queue.fallen}
            entries = [one for one in entries if one.submission not in gone]


def fewest(entries, truth, top):
    """The fewest entries whose labels show that a top is clean, by trying all sets that fall."""
    copies = [one for one in entries if truth[one.submission] != LEGITIMATE]
    for size in range(len(copies) + 1):
        for fallen in combinations(copies, size):
            left = [one for one in entries if one not in fallen]
            placed = [one for one in rank(left)[:top] if one.rank is not None]
            if all(truth[one.entry.submission] == LEGITIMATE for one in placed):
                return size + len(placed)
    raise AssertionError


@settings(deadline=None)
@given(boards(8), st.data(), st.integers(1, 4))
def test_following_the_queue_takes_the_fewest_reviews_that_can_show_a_clean_top(entries, data, top):
    truth = {one.submission: data.draw(st.sampled_from([LEGITIMATE, "MGAN"])) for one in entries}
    reviews, queue = walk(entries, truth, top)
    assert reviews == 2 * fewest(entries, truth, top)
    assert queue.clean == queue.standing
    assert reviews == 2 * entries_reviewed(
        entries, lambda one: truth[one.submission] != LEGITIMATE, top=top
    )


@given(boards(10), st.integers(1, 5))
def test_reviews_left_are_those_it_takes_if_nothing_copies(entries, top):
    queue = review_queue(entries, {}, top=top)
    truth = {one.submission: LEGITIMATE for one in entries}
    assert queue.reviews == walk(entries, truth, top)[0]
    assert queue.then == []


def test_those_that_would_move_up_if_suspects_fall_come_after_the_top():
    entries = [entry(number, number, float(number)) for number in range(4)]
    queue = review_queue(entries, {"000": verdict(["MGAN"])}, top=2)
    assert [item.entry.submission for item in queue.now] == ["000", "001"]
    assert [item.entry.submission for item in queue.then] == ["002"]
    assert queue.reviews == 3


def test_entries_agreed_to_copy_wait_for_the_organiser_and_are_counted_as_fallen():
    entries = [entry(number, number, float(number)) for number in range(4)]
    queue = review_queue(entries, {"000": verdict(["MGAN"] * 2)}, top=2)
    assert [item.entry.submission for item in queue.fallen] == ["000"]
    assert [(item.rank, item.entry.submission) for item in queue.now] == [(1, "001"), (2, "002")]
    assert not queue.done


def test_the_second_final_of_a_team_is_reviewed_only_if_its_first_falls():
    entries = [entry(0, "a", 1.0), entry(1, "a", 2.0), entry(2, "b", 3.0)]
    assert [i.entry.submission for i in review_queue(entries, {}, top=1).now] == ["000"]
    fallen = review_queue(entries, {"000": verdict(["AE", "AE"])}, top=1)
    assert [i.entry.submission for i in fallen.now] == ["001"]
