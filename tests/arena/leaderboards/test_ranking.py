"""Ranks follow the written rule, whatever the submissions."""

import math
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genmem.arena.leaderboards.ranking import ScoredSubmission, rank

START = datetime(2026, 1, 1, tzinfo=UTC)


def submission(team, score, minute=0, name=None):
    at = START + timedelta(minutes=minute)
    name = name or f"{team}-{minute}"
    return ScoredSubmission(team=team, id=name, score=score, received_at=at)


scores = st.one_of(
    st.none(),
    st.just(math.nan),
    st.sampled_from([0.0, 1.0, 2.0]),
    st.floats(0, 1e9, allow_nan=False),
)
many = st.lists(st.tuples(st.integers(0, 5), scores, st.integers(0, 8)), max_size=30).map(
    lambda rows: [submission(t, s, m, name=f"{i:03d}") for i, (t, s, m) in enumerate(rows)]
)


def missing(row):
    return row.score is None or math.isnan(row.score)


@given(many, st.randoms())
def test_the_order_of_the_submissions_does_not_matter(submissions, random):
    shuffled = list(submissions)
    random.shuffle(shuffled)
    assert [(p.rank, p.best.id) for p in rank(shuffled)] == [
        (p.rank, p.best.id) for p in rank(submissions)
    ]


@given(many)
def test_every_team_has_one_place_and_it_is_its_best_submission(submissions):
    placed = rank(submissions)
    assert sorted(p.best.team for p in placed) == sorted({e.team for e in submissions})
    for place in placed:
        own = [e for e in submissions if e.team == place.best.team]
        assert place.submissions == len(own)
        known = [e.score for e in own if not missing(e)]
        if known:
            assert place.best.score == min(known)
            same = [e for e in own if e.score == place.best.score]
            assert place.best.received_at == min(e.received_at for e in same)
        else:
            assert place.rank is None


@given(many)
def test_ranks_count_from_one_lower_scores_first_then_earlier_receipt_and_na_last(submissions):
    placed = rank(submissions)
    ranked = [p for p in placed if p.rank is not None]
    assert [p.rank for p in placed] == [
        *range(1, len(ranked) + 1), *[None] * (len(placed) - len(ranked))
    ]  # fmt: skip
    keys = [(p.best.score, p.best.received_at) for p in ranked]
    assert keys == sorted(keys)
    assert all(missing(p.best) for p in placed[len(ranked) :])


@given(many, scores)
def test_another_submission_never_worsens_its_own_teams_rank(submissions, score):
    team = 0
    more = [*submissions, submission(team, score, 99, name="zzz")]
    before = {p.best.team: p.rank for p in rank(submissions)}.get(team)
    after = {p.best.team: p.rank for p in rank(more)}[team]
    if before is not None:
        assert after is not None
        assert after <= before


def test_of_equal_scores_the_one_received_earlier_stands_higher():
    placed = rank([submission("late", 1.0, 5), submission("early", 1.0, 2)])
    assert [p.best.team for p in placed] == ["early", "late"]


@pytest.mark.parametrize("count", [0, 1])
def test_small_leaderboards_are_ranked_too(count):
    assert len(rank([submission("a", 1.0)] * count)) == count
