"""Penalized submissions and replays of the training set have no advantage on any page or export."""

from datetime import timedelta

import pytest

pytestmark = pytest.mark.usefixtures("database")

REPLAY = "replay of the training set"
ENTRIES = {
    "honest": (60.0, 0.4),
    "poor": (150.0, 0.5),
    "noisy": (0.002, 4e-3),  # MiFID 0.5
    "noisier": (2.0, 0.05),  # MiFID 40
    "exact": (1e-12, 2e-16),  # MiFID 833
    "zero": (0.0, 0.0),  # MiFID 0
}
"""FD and distance by team; the best published score is that of a replay."""


@pytest.fixture
def entries(competition, time):
    from genmem.arena.competitions.models import split_in_force
    from genmem.arena.leaderboards.scores import Scores, add_score

    from ..factories import a_team, scored

    made = {}
    for minute, (name, (fd, distance)) in enumerate(ENTRIES.items()):
        team = a_team(competition, name)
        at = time.at - timedelta(minutes=minute)
        made[name] = scored(team, None, private=None, received_at=at)
        for kind in ("public", "private"):
            split = split_in_force(competition, kind)
            assert split is not None
            score = fd / (distance + 1e-15) if distance < split.tau else fd
            scores = Scores(fd=fd, distance=distance, fd_floor=1e-9, score=score)
            add_score(made[name], split, scores)
    return made


RANKED = ["honest", "poor", "noisier", "noisy", "exact", "zero"]


@pytest.mark.parametrize("kind", ["public", "private"])
def test_the_boards_rank_copies_after_everybody_else_and_replays_last(competition, entries, kind):
    from genmem.arena.leaderboards.leaderboard import leaderboard_rows

    rows = leaderboard_rows(competition, kind)
    assert [row.name for row in rows] == RANKED
    assert [row.rank for row in rows] == list(range(1, 7))
    labels = ["", "", "penalized", "penalized", REPLAY, REPLAY]
    assert [row.standing.label for row in rows] == labels
    assert rows[-1].score == 0  # the published number stays


def test_the_page_and_the_api_say_what_a_score_is(competition, entries):
    from django.test import Client

    client = Client()
    page = client.get("/c/dogs/leaderboard/").content.decode()
    assert page.count(REPLAY) == 2
    assert page.index(">honest<") < page.index(">noisy<") < page.index(">zero<")
    rows = client.get("/api/competitions/dogs/leaderboards/public").json()
    assert [row["team"] for row in rows] == RANKED
    assert rows[-1]["standing"] == REPLAY


def test_the_history_of_ranks_follows_the_same_rule(competition, entries):
    from genmem.arena.leaderboards.history import best_changes
    from genmem.arena.leaderboards.leaderboard import score_events, team_rank_history

    assert team_rank_history(entries["zero"].team)[-1].rank == 6
    assert team_rank_history(entries["honest"].team)[-1].rank == 1
    ranks = {
        change.best.team: change.rank
        for change in best_changes(score_events(competition, "public", with_decisions=False))
    }
    assert ranks[entries["zero"].team.pk] == 6


def test_a_replay_is_no_teams_default_final(competition, entries):
    from genmem.arena.competitions.models import split_in_force
    from genmem.arena.leaderboards.finals import finals_of
    from genmem.arena.leaderboards.scores import Scores, add_score

    from ..factories import scored

    team = entries["honest"].team
    competition.final_count = 1
    competition.save()
    second = scored(team, None, private=None)
    for kind in ("public", "private"):
        split = split_in_force(competition, kind)
        assert split is not None
        add_score(second, split, Scores(fd=0.0, distance=0.0, fd_floor=1e-9, score=0.0))
    assert finals_of(team) == ({entries["honest"].pk}, False)


def test_a_moved_threshold_keeps_replays_last_in_the_preview_and_after_it(competition, entries):
    from genmem.arena.leaderboards.leaderboard import leaderboard_rows
    from genmem.arena.moderation.threshold_preview import preview, split_scores
    from genmem.arena.scoring.rescore import rescore

    from ..scoring.factories import new_split_version

    scores = split_scores(competition, "public")
    assert scores is not None
    shown = preview(scores, 0.01)
    names = ["noisier", "honest", "poor", "noisy", "exact", "zero"]
    assert [row.name for row in shown] == names
    assert [row.standing.label for row in shown][3:] == ["penalized", REPLAY, REPLAY]
    rescore(new_split_version(competition, "public", tau=0.01), "milder", None)
    rows = leaderboard_rows(competition, "public")
    assert [row.name for row in rows] == names
    assert rows[-1].standing.label == REPLAY


def test_a_round_of_ratings_takes_no_replay_before_an_honest_submission(competition, entries):
    from genmem.arena.leaderboards.leaderboard import ranked_submissions
    from genmem.arena.leaderboards.ranking import rank

    best = [placement.best.id for placement in rank(ranked_submissions(competition, "private"))]
    assert best[:2] == [str(entries[name].pk) for name in ("honest", "poor")]
    assert best[-1] == str(entries["zero"].pk)


def test_exports_say_it_too(competition, entries, tmp_path):
    import pyarrow.parquet

    from genmem.arena.export.export import export

    export(competition, tmp_path / "e", private=True)
    [path] = (tmp_path / "e").rglob("leaderboards.parquet")
    rows = [row for row in pyarrow.parquet.read_table(path).to_pylist() if row["split"] == "public"]
    assert [row["standing"] for row in rows] == ["", "", "penalized", "penalized", REPLAY, REPLAY]
