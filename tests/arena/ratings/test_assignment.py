"""Who is shown what: every entry is rated equally often, nobody sees an entry twice by chance."""

from collections import Counter
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from genmem.arena.ratings.assignment import (
    GAP,
    REAL,
    REPEAT,
    REPEATS,
    SPOILED,
    SUBMISSION,
    choose_item,
    draw_images,
    plan_session,
)

pages = st.integers(1, 60)
seeds = st.integers(0, 2**48)


@given(pages=pages, controls=st.booleans(), diversity_first=st.booleans(), seed=seeds)
def test_a_plan_has_its_submissions_controls_and_repetitions(
    pages, controls, diversity_first, seed
):
    places = plan_session(
        pages=pages, controls=controls, diversity_first=diversity_first, seed=seed
    )
    for question in ("quality", "diversity"):
        kinds = Counter(one.kind for one in places if one.question == question)
        assert kinds[SUBMISSION] == pages
        assert kinds[REAL] == kinds[SPOILED] == controls
        assert kinds[REPEAT] <= min(REPEATS, pages)
        if pages >= 10:
            assert kinds[REPEAT] == REPEATS


@given(pages=pages, controls=st.booleans(), diversity_first=st.booleans(), seed=seeds)
def test_pages_of_one_question_come_together(pages, controls, diversity_first, seed):
    places = plan_session(
        pages=pages, controls=controls, diversity_first=diversity_first, seed=seed
    )
    order = list(dict.fromkeys(one.question for one in places))
    assert order == (["diversity", "quality"] if diversity_first else ["quality", "diversity"])
    assert sum(a.question != b.question for a, b in pairwise(places)) == 1


@given(pages=pages, controls=st.booleans(), seed=seeds)
def test_a_repetition_shows_an_submission_of_its_question_some_pages_later(pages, controls, seed):
    places = plan_session(pages=pages, controls=controls, diversity_first=False, seed=seed)
    repeated = [(at, one) for at, one in enumerate(places) if one.kind == REPEAT]
    assert len({one.repeats for _, one in repeated}) == len(repeated)
    for at, one in repeated:
        assert one.repeats is not None
        assert places[one.repeats].kind == SUBMISSION
        assert places[one.repeats].question == one.question
        assert at > one.repeats
        if pages >= 15:
            assert at - one.repeats > GAP


@given(
    entries=st.integers(1, 12),
    wanted=st.integers(1, 8),
    lengths=st.lists(st.integers(0, 12), max_size=40),
    seed=seeds,
)
def test_counts_differ_by_at_most_one_while_raters_come_one_after_another(
    entries, wanted, lengths, seed
):
    counts = dict.fromkeys(range(entries), 0)
    for rater, length in enumerate(lengths):
        seen = set()
        for page in range(length):
            item = choose_item(counts, seen=seen, wanted=wanted, seed=seed + 100 * rater + page)
            if item is None:
                break
            assert item not in seen
            seen.add(item)
            counts[item] += 1
            assert max(counts.values()) - min(counts.values()) <= 1


@given(
    entries=st.integers(1, 10),
    wanted=st.integers(1, 6),
    raters=st.integers(1, 12),
    turns=st.lists(st.integers(0, 11), max_size=300),
)
def test_raters_at_the_same_time_never_give_an_submission_more_than_is_wanted(
    entries, wanted, raters, turns
):
    counts = dict.fromkeys(range(entries), 0)
    seen = {rater: set() for rater in range(raters)}
    for number, turn in enumerate(turns):
        rater = turn % raters
        item = choose_item(counts, seen=seen[rater], wanted=wanted, seed=number)
        if item is None:
            assert all(counts[one] == wanted for one in counts if one not in seen[rater])
            continue
        assert item not in seen[rater]
        open_to_them = [counts[one] for one in counts if one not in seen[rater]]
        assert counts[item] == min(open_to_them)
        seen[rater].add(item)
        counts[item] += 1
        assert counts[item] <= wanted


@given(entries=st.integers(1, 10), wanted=st.integers(1, 6), seed=seeds, data=st.data())
def test_in_the_end_every_submission_has_exactly_what_is_wanted(entries, wanted, seed, data):
    counts = dict.fromkeys(range(entries), 0)
    seen = {rater: set() for rater in range(wanted)}
    working = list(seen)
    while working:
        rater = data.draw(st.sampled_from(working))
        item = choose_item(counts, seen=seen[rater], wanted=wanted, seed=seed)
        if item is None:
            working.remove(rater)
        else:
            seen[rater].add(item)
            counts[item] += 1
    assert set(counts.values()) == {wanted}


def test_ties_are_drawn_so_that_no_submission_is_always_first():
    counts = dict.fromkeys(range(10), 0)
    first = Counter(choose_item(counts, seen=(), wanted=1, seed=seed) for seed in range(2000))
    assert len(first) == 10
    assert max(first.values()) < 300


@given(available=st.integers(0, 300), wanted=st.integers(1, 100), seed=seeds)
def test_a_page_shows_each_image_once(available, wanted, seed):
    drawn = draw_images(available, wanted, seed=seed)
    assert len(drawn) == len(set(drawn)) == min(available, wanted)
    assert all(0 <= one < available for one in drawn)
