"""The history of a board, against ranking everything anew at every score."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from genmem.arena.export.history import changes
from genmem.arena.leaderboards.ranking import Entry, rank

START = datetime(2026, 5, 20, tzinfo=UTC)
SCORES = st.one_of(st.none(), st.integers(0, 5).map(float))


def scored(events):
    """(team, submission of the team, score) → what `changes` takes."""
    received = {}
    for number, (team, submission, score) in enumerate(events):
        key = f"{team}-{submission}"
        received.setdefault(key, START + timedelta(seconds=number))
        entry = Entry(team=team, submission=key, score=score, received_at=received[key])
        yield START + timedelta(minutes=number), entry


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 3), SCORES), max_size=40))
def test_it_is_the_board_at_every_moment(events):
    listed = list(scored(events))
    found = list(changes(listed))
    newest = {}
    for at, entry in listed:
        newest[entry.submission] = entry
        board = {one.entry.team: one for one in rank(newest.values())}
        upto = {one.entry.team: one for one in found if one.at <= at}
        assert {team: one.entry for team, one in upto.items()} == {
            team: one.entry for team, one in board.items()
        }
        for one in (one for one in found if one.at == at):
            assert one.entry.team == entry.team
            assert one.rank == board[entry.team].rank
            assert one.teams == sum(placed.rank is not None for placed in board.values())


def test_a_score_that_changes_no_best_is_no_change():
    found = list(changes(scored([("a", 1, 2.0), ("a", 2, 3.0), ("b", 1, 1.0), ("a", 1, 2.0)])))
    assert [(one.entry.team, one.rank) for one in found] == [("a", 1), ("b", 1)]
