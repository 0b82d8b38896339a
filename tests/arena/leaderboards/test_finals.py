"""Which submissions count as final."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from genmem.arena.leaderboards.ranking import ScoredSubmission

pytestmark = pytest.mark.usefixtures("database")

START = datetime(2026, 1, 1, tzinfo=UTC)
scores = st.one_of(st.none(), st.just(float("nan")), st.integers(0, 3).map(float))


def submission(team, score, number):
    return ScoredSubmission(
        team=team, id=f"{team}-{number}", score=score, received_at=START + timedelta(minutes=number)
    )


def select(public, chosen, count):
    from genmem.arena.leaderboards.finals import select_finals

    return select_finals(public, chosen, count=count)


@given(st.lists(scores, max_size=20), st.integers(1, 4))
def test_default_finals_are_the_best_by_public_score(values, count):
    public = [submission("a", score, number) for number, score in enumerate(values)]
    finals = select(public, {}, count)
    assert len(finals) == min(count, len(public))
    chosen = [row for row in public if row.id in finals]
    rest = [row for row in public if row.id not in finals]
    assert all(a.order <= b.order for a in chosen for b in rest)


def test_a_team_that_chose_finals_keeps_them_and_the_others_get_the_default():
    public = [
        submission("a", 3.0, 1),
        submission("a", 1.0, 2),
        submission("b", 5.0, 1),
        submission("b", 4.0, 2),
    ]
    assert select(public, {"a": ["a-1"]}, 1) == {"a-1", "b-2"}


def test_the_finals_of_a_team_are_those_of_the_private_leaderboard(competition):
    from genmem.arena.leaderboards.finals import choose_finals, final_submissions, finals_of

    from ..factories import a_team, captain, scored

    default, choosing = a_team(competition, "default"), a_team(competition, "choosing")
    for team in (default, choosing):
        rows = [scored(team, public, private=1.0) for public in (3.0, 1.0, 2.0)]
    choose_finals(choosing, captain(choosing), [rows[0].pk])
    assert finals_of(choosing) == ({rows[0].pk}, True)
    ids, chosen = finals_of(default)
    assert (len(ids), chosen) == (2, False)
    assert final_submissions(competition) == {str(pk) for pk in ids | {rows[0].pk}}
