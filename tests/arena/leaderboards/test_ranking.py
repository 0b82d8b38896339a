"""Ranks follow the written rule, whatever the entries."""

import math
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genmem.arena.leaderboards.ranking import (
    Entry,
    default_finals,
    finals_of_all,
    rank,
    rank_history,
)

START = datetime(2026, 1, 1, tzinfo=UTC)


def entry(team, score, minute=0, name=None):
    at = START + timedelta(minutes=minute)
    return Entry(team=team, submission=name or f"{team}-{minute}", score=score, received_at=at)


scores = st.one_of(
    st.none(),
    st.just(math.nan),
    st.sampled_from([0.0, 1.0, 2.0]),
    st.floats(0, 1e9, allow_nan=False),
)
many = st.lists(st.tuples(st.integers(0, 5), scores, st.integers(0, 8)), max_size=30).map(
    lambda rows: [entry(t, s, m, name=f"{i:03d}") for i, (t, s, m) in enumerate(rows)]
)


def missing(one):
    return one.score is None or math.isnan(one.score)


@given(many, st.randoms())
def test_the_order_of_the_entries_does_not_matter(entries, random):
    shuffled = list(entries)
    random.shuffle(shuffled)
    assert [(p.rank, p.entry.submission) for p in rank(shuffled)] == [
        (p.rank, p.entry.submission) for p in rank(entries)
    ]


@given(many)
def test_every_team_has_one_place_and_it_is_its_best_entry(entries):
    placed = rank(entries)
    assert sorted(p.entry.team for p in placed) == sorted({e.team for e in entries})
    for place in placed:
        own = [e for e in entries if e.team == place.entry.team]
        assert place.entries == len(own)
        known = [e.score for e in own if not missing(e)]
        if known:
            assert place.entry.score == min(known)
            same = [e for e in own if e.score == place.entry.score]
            assert place.entry.received_at == min(e.received_at for e in same)
        else:
            assert place.rank is None


@given(many)
def test_ranks_count_from_one_lower_scores_first_then_earlier_receipt_and_na_last(entries):
    placed = rank(entries)
    ranked = [p for p in placed if p.rank is not None]
    assert [p.rank for p in placed] == [
        *range(1, len(ranked) + 1), *[None] * (len(placed) - len(ranked))
    ]  # fmt: skip
    keys = [(p.entry.score, p.entry.received_at) for p in ranked]
    assert keys == sorted(keys)
    assert all(missing(p.entry) for p in placed[len(ranked) :])


@given(many, scores)
def test_another_entry_never_worsens_its_own_teams_rank(entries, score):
    team = 0
    more = [*entries, entry(team, score, 99, name="zzz")]
    before = {p.entry.team: p.rank for p in rank(entries)}.get(team)
    after = {p.entry.team: p.rank for p in rank(more)}[team]
    if before is not None:
        assert after is not None
        assert after <= before


def test_of_equal_scores_the_one_received_earlier_stands_higher():
    placed = rank([entry("late", 1.0, 5), entry("early", 1.0, 2)])
    assert [p.entry.team for p in placed] == ["early", "late"]


@given(many, st.integers(1, 4))
def test_default_finals_are_the_best_by_public_score(entries, count):
    chosen = default_finals(entries, count=count)
    assert len(chosen) == min(count, len(entries))
    rest = [e for e in entries if e not in chosen]
    assert all(a.order <= b.order for a in chosen for b in rest)


def test_a_team_that_chose_finals_keeps_them_and_the_others_get_the_default():
    public = [entry("a", 3.0, 1), entry("a", 1.0, 2), entry("b", 5.0, 1), entry("b", 4.0, 2)]
    finals = finals_of_all(public, {"a": ["a-1"]}, count=1)
    assert finals == {"a-1", "b-2"}


def test_the_history_of_a_rank_tells_each_change():
    scored = [
        (START, entry("a", 5.0, 0)),
        (START + timedelta(hours=1), entry("b", 4.0, 1)),
        (START + timedelta(hours=2), entry("a", 3.0, 2)),
        (START + timedelta(hours=3), entry("b", 9.0, 3)),
        (START + timedelta(hours=4), entry("a", None, 2)),
    ]
    moments = rank_history(scored, team="a")
    assert [(m.rank, m.teams) for m in moments] == [(1, 1), (2, 2), (1, 2), (2, 2)]


@given(many)
def test_the_last_moment_of_a_history_is_the_rank_on_the_board(entries):
    scored = [(START + timedelta(hours=i), e) for i, e in enumerate(entries)]
    for place in rank(entries):
        assert rank_history(scored, team=place.entry.team)[-1].rank == place.rank


@pytest.mark.parametrize("count", [0, 1])
def test_small_boards_are_boards_too(count):
    assert len(rank([entry("a", 1.0)] * count)) == count
