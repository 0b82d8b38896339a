"""The history of ranks equals ranking everything again at every score."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from genmem.arena.leaderboards.history import best_changes, rank_history
from genmem.arena.leaderboards.ranking import ScoredSubmission, rank

START = datetime(2026, 5, 20, tzinfo=UTC)
scores = st.one_of(st.none(), st.integers(0, 5).map(float))
score_rows = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 3), scores), max_size=40)


def score_events(rows):
    """From (team, submission of the team, score): one score a minute."""
    received = {}
    for number, (team, name, score) in enumerate(rows):
        pk = f"{team}-{name}"
        received.setdefault(pk, START + timedelta(seconds=number))
        yield (
            START + timedelta(minutes=number),
            ScoredSubmission(team=team, id=pk, score=score, received_at=received[pk]),
        )


@given(score_rows)
def test_the_newest_changes_are_the_leaderboard_at_every_moment(rows):
    events = list(score_events(rows))
    changes = list(best_changes(events))
    newest = {}
    for at, submission in events:
        newest[submission.id] = submission
        placements = {place.best.team: place for place in rank(newest.values())}
        upto = {change.best.team: change for change in changes if change.at <= at}
        assert {team: change.best for team, change in upto.items()} == {
            team: place.best for team, place in placements.items()
        }
        for change in (change for change in changes if change.at == at):
            assert change.best.team == submission.team
            assert change.rank == placements[submission.team].rank
            assert change.teams == sum(p.rank is not None for p in placements.values())


def test_a_score_that_does_not_change_a_teams_best_is_no_change():
    events = score_events([("a", 1, 2.0), ("a", 2, 3.0), ("b", 1, 1.0), ("a", 1, 2.0)])
    assert [(change.best.team, change.rank) for change in best_changes(events)] == [
        ("a", 1),
        ("b", 1),
    ]


def test_the_rank_history_lists_every_change_of_a_teams_rank():
    rows = [("a", 0, 5.0), ("b", 1, 4.0), ("a", 2, 3.0), ("b", 3, 9.0), ("a", 2, None)]
    changes = rank_history(score_events(rows), team="a")
    assert [(change.rank, change.teams) for change in changes] == [(1, 1), (2, 2), (1, 2), (2, 2)]


@given(score_rows)
def test_the_last_change_of_a_rank_history_is_the_rank_on_the_leaderboard(rows):
    events = list(score_events(rows))
    newest = {submission.id: submission for _, submission in events}
    for place in rank(newest.values()):
        assert rank_history(events, team=place.best.team)[-1].rank == place.rank
