"""The replay of a competition's table, at small size."""

import pytest

pytestmark = pytest.mark.usefixtures("database")

TABLE = """\
submission_id,public_score,private_score,FID_public,FID_private,distance_public,distance_private,labels
1,10,999999,10,12,0.3,0.20,mgan
2,20,999999,20,15,0.3,0.28,sup
3,30,30,30,30,0.3,0.40,non-mem
4,40,40,40,40,0.3,0.50,
5,50,50,50,50,0.3,0.60,non-mem
6,60,60,60,60,0.3,0.60,non-mem
"""


@pytest.fixture
def rows(tmp_path):
    from studies.competition_rows import table_rows

    (tmp_path / "t.csv").write_text(TABLE)
    return table_rows(tmp_path / "t.csv")


def test_a_table_becomes_a_competition_with_its_scores_and_labels(rows):
    from genmem.arena.leaderboards.leaderboard import leaderboard_rows
    from genmem.arena.moderation.selectors import queue_of
    from studies.competition_rows import fill

    competition = fill(rows, slug="table")
    assert [row.score for row in leaderboard_rows(competition, "public")] == [
        10,
        20,
        30,
        40,
        50,
        60,
    ]
    private = [row.score for row in leaderboard_rows(competition, "private")]
    assert private == pytest.approx([15, 30, 40, 50, 12 / 0.20, 60])
    queue = queue_of(competition, top=3)
    assert [item.consensus.label for item in queue.to_decide] == ["SUP"]
    assert [item.submission.score for item in queue.to_review] == [40]
    assert queue.reviews_left == 2


def test_the_penalty_saves_reviews(rows):
    from studies.replay import reviews_until_clean

    def count(tau, blank_is_legitimate):
        return reviews_until_clean(
            rows, tau=tau, blank_is_legitimate=blank_is_legitimate, top=3
        ).reviews

    assert count(None, True) == 2 * 5
    assert count(None, False) == 2 * 6
    assert count(0.25, True) == 2 * 4
    assert count(0.35, True) == 2 * 3


def test_resampled_submissions_keep_to_the_number_of_teams(rows):
    from studies.competition_rows import resample

    sample = resample(rows, submissions=50, teams=7)
    assert len(sample.ids) == len(set(sample.ids)) == 50
    assert set(sample.teams) == set(range(7))
