"""The page of distances shows what scoring would give at another τ, and puts it in force."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture
def board(competition):
    """Six teams; the first three lie near the training images, on both splits."""
    from genmem.arena.competitions.models import split_in_force
    from genmem.arena.leaderboards.scores import Scores, add_score

    from ..factories import a_team, scored

    made = []
    for number in range(6):
        submission = scored(a_team(competition, f"team {number}"), 10.0 + number, private=1.0)
        fd, distance = 20.0 + number, 0.2 + 0.05 * number
        for kind in ("public", "private"):
            split = split_in_force(competition, kind)
            assert split is not None
            score = fd / distance if distance < split.tau else fd
            add_score(submission, split, Scores(fd=fd, distance=distance, score=score))
        made.append(submission)
    return made


@pytest.fixture
def organizer():
    from ..factories import a_user, signed_in

    user = a_user("organizer", is_staff=True)
    return user, signed_in(user)


def mifid(submission, tau):
    from genmem.metrics.mifid import mifid_from
    from genmem.results import Result

    version = submission.scores.get(split__kind="private", superseded_by=None)
    return mifid_from(
        fd=Result(name="fd", value=version.fd, n={}),
        distance=Result(name="memorization_distance", value=version.distance, n={}),
        tau=tau,
    ).value


@pytest.mark.parametrize("tau", [0.1, 0.25, 0.3, 0.35000001, 0.9])
def test_the_scores_of_the_page_are_those_of_mifid(board, organizer, tau):
    page = (
        organizer[1]
        .get(f"/c/dogs/moderation/distances/private/preview/?tau={tau}")
        .content.decode()
    )
    shown = [float(one) for one in re.findall(r'data-score="([^"]+)"', page)]
    assert shown == sorted(mifid(one, tau) for one in board)


@given(
    st.lists(
        st.tuples(
            st.integers(0, 4),
            st.one_of(st.just(float("nan")), st.integers(1, 5).map(float)),
            st.floats(0, 1),
            st.booleans(),
        ),
        min_size=1,
        max_size=25,
    ),
    st.floats(0.01, 1),
)
def test_ranking_from_arrays_is_ranking_one_by_one(rows, tau):
    from genmem.arena.moderation.threshold_preview import SplitScores, rank_at

    team, fd, distance, competes = map(np.array, zip(*rows, strict=True))
    scores = SplitScores(
        ids=[f"{number:03d}" for number in range(len(rows))],
        team=team,
        fd=fd,
        distance=distance,
        fd_floor=np.where(fd == 1, 1.0, np.nan),
        competes=competes,
        names={},
        version=1,
        tau=tau,
        epsilon=1e-15,
        outdated=0,
    )

    def order(row):  # of equal submissions the first one stays
        if distance[row] >= tau:
            return 0, fd[row], row
        return (2 if fd[row] == 1 else 1), -distance[row], row

    best = {}
    for row in range(len(rows)):
        if competes[row] and not np.isnan(fd[row]):
            best[team[row]] = min(best.get(team[row], row), row, key=order)
    expected = sorted(best.values(), key=order)
    assert rank_at(scores, tau)[0].tolist() == expected


def test_moving_tau_shows_who_moves_and_who_enters_and_leaves(board, organizer):
    where = "/c/dogs/moderation/distances/private/preview/?tau=0.26&top=3"
    page = " ".join(organizer[1].get(where).content.decode().split())
    # At τ = 0.25 the first is penalized; at 0.26 the second is too, 0.25 < 0.26.
    assert "<strong>5</strong> of 6 teams move" in page or "team 1" in page
    assert "Teams that leave the top 3" in page
    assert re.search(r"enters</span>", page)


def test_applying_tau_is_a_recorded_change_with_new_scores_and_old_ones_kept(
    competition, board, organizer
):
    from genmem.arena.auditlog.models import LogEntry
    from genmem.arena.competitions.models import split_in_force
    from genmem.arena.leaderboards.leaderboard import leaderboard_rows
    from genmem.arena.leaderboards.models import ScoreVersion

    user, client = organizer
    before = ScoreVersion.objects.count()
    form = {"tau": "0.38", "version": "1", "reason": "As the labels suggest."}
    answer = client.post("/c/dogs/moderation/distances/private/apply/", form, follow=True)
    assert "6 submissions were rescored" in answer.content.decode()
    split = split_in_force(competition, "private")
    assert split is not None
    assert (split.version, split.tau) == (2, 0.38)
    assert ScoreVersion.objects.count() == before + 6
    for one in board:
        version = one.scores.get(split=split)
        assert version.score == mifid(one, 0.38)
        assert version.reason == "As the labels suggest."
    assert [row.score for row in leaderboard_rows(competition, "private")] == sorted(
        mifid(one, 0.38) for one in board
    )
    entry = LogEntry.objects.get(action="set private split")
    assert entry.actor == user
    assert entry.before == {"tau": 0.25}
    assert entry.after == {"tau": 0.38, "reason": "As the labels suggest."}


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ({"tau": "0.3", "reason": " "}, "Write a reason"),
        ({"tau": "0.25", "reason": "x"}, "τ is 0.25 already"),
        ({"tau": "0", "reason": "x"}, "at most 1, got 0"),
        ({"tau": "nan", "reason": "x"}, "at most 1, got nan"),
        ({"tau": "x", "reason": "x"}, "at most 1, got nan"),
        ({"tau": "0.3", "reason": "x", "version": "7"}, "came into force meanwhile"),
    ],
)
def test_a_tau_that_cannot_be_applied_is_refused(competition, board, organizer, form, words):
    from genmem.arena.competitions.models import split_in_force

    answer = organizer[1].post("/c/dogs/moderation/distances/private/apply/", form, follow=True)
    assert words in answer.content.decode()
    split = split_in_force(competition, "private")
    assert split is not None
    assert split.version == 1


def test_the_labels_suggest_a_tau_and_say_how_many_they_are(board, organizer):
    from .factories import labelled

    for one, label in zip(board, ["MGAN", "SUP", "AUG", *["legitimate"] * 3], strict=True):
        labelled(one, label)
    labelled(board[5], "legitimate")
    page = " ".join(
        organizer[1].get("/c/dogs/moderation/distances/private/").content.decode().split()
    )
    assert re.search(r'data-tau="0.32[45]\d*">τ = 0.325<', page)
    assert "penalizes 3 of 3 that copy, 0 of 3 legitimate" in page
    assert "Based on 3 legitimate labels and 3 labels of copying; 5 of them by one" in page


def test_without_labels_nothing_is_suggested_and_every_distance_is_in_the_plot(board, organizer):
    page = organizer[1].get("/c/dogs/moderation/distances/private/").content.decode()
    assert "No suggestion yet" in page
    assert "g-unsettled" in page
    assert "style=" not in page


@pytest.mark.parametrize("count", [0, 1, 7, 400])
def test_bars_are_as_high_as_their_counts(count):
    from genmem.arena.moderation.histogram import histogram

    rng = np.random.default_rng(count)
    codes = rng.integers(0, 7, count)
    found = histogram(np.append(rng.random(count), np.nan), np.append(codes, 0))
    total = sum(bar.height for bar in found.bars) * found.largest_count / 100
    assert total == pytest.approx(count, abs=0.01 * count)
    assert all(bar.top >= -0.01 and bar.left + bar.width <= 100.01 for bar in found.bars)


def test_a_side_without_scores_has_a_page_that_says_so(competition, organizer):
    page = organizer[1].get("/c/dogs/moderation/distances/public/").content.decode()
    assert "No submission has a score on this split yet" in page
    assert organizer[1].get("/c/dogs/moderation/distances/other/").status_code == 404
    assert organizer[1].get("/c/dogs/moderation/distances/public/preview/").status_code == 404
