"""The review queue never wastes a review, and says how many are left."""

from datetime import UTC, datetime, timedelta
from itertools import combinations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from genmem.arena.leaderboards.ranking import ScoredSubmission, rank
from genmem.arena.moderation.consensus import COPYING, LEGITIMATE, Consensus, consensus_of
from genmem.arena.moderation.queue import count_reviewed, review_queue

START = datetime(2026, 1, 1, tzinfo=UTC)
labels = st.lists(st.sampled_from([LEGITIMATE, *COPYING]), max_size=4)
scores = st.one_of(st.none(), st.integers(0, 4).map(float), st.floats(0, 9))


def submission(number, team, score):
    at = START + timedelta(minutes=number % 3)
    return ScoredSubmission(team=team, id=f"{number:03d}", score=score, received_at=at)


def submission_lists(largest):
    rows = st.lists(st.tuples(st.integers(0, 4), scores), max_size=largest)
    return rows.map(lambda found: [submission(n, *row) for n, row in enumerate(found)])


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([], Consensus()),
        (["legitimate"], Consensus(count=1, unanimous="legitimate")),
        (["MGAN"], Consensus(count=1, unanimous="MGAN")),
        (["legitimate"] * 2, Consensus(label="legitimate", count=2, unanimous="legitimate")),
        (["legitimate", "MGAN"], Consensus(count=2, disputed=True)),
        (["MGAN", "SUP"], Consensus(count=2, disputed=True)),
        (["MGAN", "legitimate", "MGAN"], Consensus(label="MGAN", count=3)),
        (["MGAN", "legitimate"] * 2, Consensus(count=4, disputed=True)),
    ],
)
def test_two_reviewers_settle_a_submission_unless_others_disagree_as_much(given, expected):
    assert consensus_of(given) == expected


@given(labels, st.randoms())
def test_the_order_of_the_labels_does_not_matter(given, random):
    shuffled = list(given)
    random.shuffle(shuffled)
    assert consensus_of(shuffled) == consensus_of(given)


@given(labels)
def test_a_consensus_is_settled_or_says_how_many_more_reviews_it_takes(given):
    found = consensus_of(given)
    assert (found.reviews_needed == 0) == bool(found.label)
    if not found.label:
        more = [given[0] if given else LEGITIMATE] * found.reviews_needed
        assert found.disputed or consensus_of([*given, *more]).label


@given(submission_lists(12), st.data(), st.integers(1, 4))
def test_what_is_to_be_reviewed_now_stands_in_the_top_whatever_falls(submissions, data, top):
    found = {
        one.id: consensus_of(data.draw(labels)) for one in submissions if data.draw(st.booleans())
    }
    queue = review_queue(submissions, found, top=top)
    others = [
        one
        for one in submissions
        if data.draw(st.booleans()) or one.id in {i.submission.id for i in queue.to_review}
    ]
    left = [one for one in others if not found.get(one.id, Consensus()).copying]
    inside = {placed.best.id for placed in rank(left)[:top]}
    assert {item.submission.id for item in queue.to_review} <= inside


def walk(submissions, truth, top):
    """Two reviewers who always take the first of the queue; agreed copies are disqualified."""
    found, reviews = {}, 0
    while True:
        queue = review_queue(submissions, {k: consensus_of(v) for k, v in found.items()}, top=top)
        if queue.done:
            return reviews, queue
        if queue.to_review:
            first = queue.to_review[0].submission.id
            assert queue.reviews_left > 0
            found.setdefault(first, []).append(truth[first])
            reviews += 1
        else:
            gone = {item.submission.id for item in queue.to_decide}
            submissions = [one for one in submissions if one.id not in gone]


def fewest(submissions, truth, top):
    """The fewest reviewed submissions that settle a top, by trying all sets of copies."""
    copies = [one for one in submissions if truth[one.id] != LEGITIMATE]
    for size in range(len(copies) + 1):
        for fallen in combinations(copies, size):
            left = [one for one in submissions if one not in fallen]
            placed = [one for one in rank(left)[:top] if one.rank is not None]
            if all(truth[one.best.id] == LEGITIMATE for one in placed):
                return size + len(placed)
    raise AssertionError


@settings(deadline=None)
@given(submission_lists(8), st.data(), st.integers(1, 4))
def test_following_the_queue_takes_the_fewest_reviews_that_can_show_a_clean_top(
    submissions, data, top
):
    truth = {one.id: data.draw(st.sampled_from([LEGITIMATE, "MGAN"])) for one in submissions}
    reviews, queue = walk(submissions, truth, top)
    assert reviews == 2 * fewest(submissions, truth, top)
    assert queue.legitimate == queue.size
    assert reviews == 2 * count_reviewed(
        submissions, lambda one: truth[one.id] != LEGITIMATE, top=top
    )


@given(submission_lists(10), st.integers(1, 5))
def test_reviews_left_are_those_it_takes_if_nothing_copies(submissions, top):
    queue = review_queue(submissions, {}, top=top)
    truth = {one.id: LEGITIMATE for one in submissions}
    assert queue.reviews_left == walk(submissions, truth, top)[0]
    assert queue.next_in_line == []


def test_those_that_would_move_up_if_suspects_fall_come_after_the_top():
    submissions = [submission(number, number, float(number)) for number in range(4)]
    queue = review_queue(submissions, {"000": consensus_of(["MGAN"])}, top=2)
    assert [item.submission.id for item in queue.to_review] == ["000", "001"]
    assert [item.submission.id for item in queue.next_in_line] == ["002"]
    assert queue.reviews_left == 3


def test_submissions_agreed_to_copy_wait_for_the_organizer_and_are_counted_as_fallen():
    submissions = [submission(number, number, float(number)) for number in range(4)]
    queue = review_queue(submissions, {"000": consensus_of(["MGAN"] * 2)}, top=2)
    assert [item.submission.id for item in queue.to_decide] == ["000"]
    assert [(item.rank, item.submission.id) for item in queue.to_review] == [(1, "001"), (2, "002")]
    assert not queue.done


def test_the_second_final_of_a_team_is_reviewed_only_if_its_first_falls():
    submissions = [submission(0, "a", 1.0), submission(1, "a", 2.0), submission(2, "b", 3.0)]
    assert [i.submission.id for i in review_queue(submissions, {}, top=1).to_review] == ["000"]
    fallen = review_queue(submissions, {"000": consensus_of(["AE", "AE"])}, top=1)
    assert [i.submission.id for i in fallen.to_review] == ["001"]
