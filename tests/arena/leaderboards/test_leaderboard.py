"""The leaderboards show the best of what counts, and finals can be chosen until the deadline."""

from datetime import timedelta

import pytest

pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture
def teams(competition):
    from ..factories import a_team

    return [a_team(competition, name) for name in ("alpha", "beta", "gamma")]


def shown(competition, kind):
    from genmem.arena.leaderboards.leaderboard import leaderboard_rows

    return [(row.rank, row.name, row.score) for row in leaderboard_rows(competition, kind)]


def choose(team, *submissions):
    from genmem.arena.leaderboards.finals import choose_finals

    from ..factories import captain

    return choose_finals(team, captain(team), [one.pk for one in submissions])


def test_the_public_leaderboard_shows_each_teams_best_and_na_last(competition, teams):
    from ..factories import scored

    alpha, beta, gamma = teams
    scored(alpha, 30.0)
    scored(alpha, 20.0)
    scored(beta, None)
    scored(gamma, 10.0)
    assert shown(competition, "public") == [
        (1, "gamma", 10.0),
        (2, "alpha", 20.0),
        (None, "beta", None),
    ]


def test_of_equal_scores_the_earlier_one_is_first(competition, teams, time):
    from ..factories import scored

    scored(teams[0], 5.0)
    scored(teams[1], 5.0, received_at=time.at - timedelta(seconds=1))
    assert [name for _, name, _ in shown(competition, "public")] == ["beta", "alpha"]


def test_only_scored_submissions_are_on_a_leaderboard(competition, teams):
    from ..factories import scored

    scored(teams[0], 5.0, state="failed")
    assert shown(competition, "public") == []


def test_the_private_leaderboard_ranks_the_better_of_the_finals_by_private_score(
    competition, teams
):
    from ..factories import scored

    alpha, beta, _ = teams
    best = scored(alpha, 1.0, private=50.0)
    worse = scored(alpha, 9.0, private=40.0)
    scored(alpha, 99.0, private=1.0)
    scored(beta, 2.0, private=45.0)
    choose(alpha, best, worse)
    assert shown(competition, "private") == [(1, "alpha", 40.0), (2, "beta", 45.0)]


def test_a_team_that_chose_none_has_its_best_by_public_score(competition, teams):
    from ..factories import scored

    for public, private in ((3.0, 10.0), (1.0, 30.0), (2.0, 20.0)):
        scored(teams[0], public, private=private)
    assert shown(competition, "private") == [(1, "alpha", 20.0)]


def test_a_team_that_takes_its_choice_back_has_the_default_again(competition, teams):
    from ..factories import scored

    bad = scored(teams[0], 9.0, private=90.0)
    scored(teams[0], 1.0, private=10.0)
    choose(teams[0], bad)
    assert shown(competition, "private") == [(1, "alpha", 90.0)]
    choose(teams[0])
    assert shown(competition, "private") == [(1, "alpha", 10.0)]


def test_a_new_score_version_replaces_the_old_one_at_once_and_both_are_kept(competition, teams):
    from genmem.arena.leaderboards.models import ScoreVersion
    from genmem.arena.leaderboards.scores import Scores, add_score

    from ..factories import scored

    made = scored(teams[0], 5.0)
    scored(teams[1], 7.0)
    assert [name for _, name, _ in shown(competition, "public")] == ["alpha", "beta"]
    split = ScoreVersion.objects.filter(submission=made, split__kind="public").get().split
    add_score(made, split, Scores(fd=5.0, distance=0.05, score=100.0), reason="new τ")
    assert [name for _, name, _ in shown(competition, "public")] == ["beta", "alpha"]
    assert ScoreVersion.objects.filter(submission=made, split__kind="public").count() == 2


def test_a_version_of_a_split_supersedes_scores_of_the_one_before(competition, teams):
    from genmem.arena.competitions.models import Split
    from genmem.arena.leaderboards.scores import Scores, add_score

    from ..factories import scored

    made = scored(teams[0], 5.0)
    newer = Split.objects.create(
        competition=competition, kind="public", version=2, backbone="pixels", train="/t", tau=0.2
    )
    add_score(made, newer, Scores(fd=5.0, distance=0.5, score=6.0))
    assert shown(competition, "public") == [(1, "alpha", 6.0)]


def test_the_database_refuses_a_second_first_score_and_a_second_successor(competition, teams):
    from django.db import IntegrityError, transaction

    from genmem.arena.leaderboards.models import ScoreVersion

    from ..factories import scored

    made = scored(teams[0], 5.0)
    first = ScoreVersion.objects.get(submission=made, split__kind="public")
    fields = {"submission": made, "split": first.split, "tau": 0.1, "epsilon": 1e-15}
    with pytest.raises(IntegrityError), transaction.atomic():
        ScoreVersion.objects.create(**fields)
    ScoreVersion.objects.create(supersedes=first, **fields)
    with pytest.raises(IntegrityError), transaction.atomic():
        ScoreVersion.objects.create(supersedes=first, **fields)


def refused(words):
    from genmem.arena.core.errors import RuleError

    return pytest.raises(RuleError, match=words)


def test_finals_can_be_chosen_until_the_last_moment_and_not_after(teams, time):
    from ..factories import scored

    made = scored(teams[0], 5.0)
    time.set(teams[0].competition.closes_at)
    choose(teams[0], made)
    time.pass_(seconds=1)
    with refused("until 30 May 2026, 12:00 UTC; by the server's clock it is 30 May 2026, 12:00:01"):
        choose(teams[0])


def test_no_more_finals_than_allowed(teams):
    from ..factories import scored

    with refused("Choose 2 submissions at most, not 3"):
        choose(teams[0], *(scored(teams[0], 5.0) for _ in range(3)))


@pytest.mark.parametrize("state", ["received", "scoring", "refused", "failed"])
def test_only_scored_submissions_can_be_finals(teams, state):
    from ..factories import scored

    with refused("Only scored submissions"):
        choose(teams[0], scored(teams[0], 5.0, state=state))


def test_another_teams_submission_cannot_be_a_final(teams):
    from ..factories import scored

    with refused("of your own team"):
        choose(teams[0], scored(teams[1], 5.0))


def test_every_choice_is_in_the_log_with_what_stood_before(teams):
    from genmem.arena.auditlog.models import LogEntry

    from ..factories import scored

    first, second = scored(teams[0], 5.0), scored(teams[0], 6.0)
    choose(teams[0], first)
    choose(teams[0], second)
    choose(teams[0], second)
    entries = LogEntry.objects.filter(action="choose finals").order_by("pk")
    assert [(one.before, one.after) for one in entries] == [
        ([], [str(first.pk)]),
        ([str(first.pk)], [str(second.pk)]),
    ]


def test_the_finals_page_saves_and_says_what_applies(teams):
    from ..factories import captain, scored, signed_in

    made = scored(teams[0], 5.0)
    client = signed_in(captain(teams[0]))
    assert "by default" in client.get("/c/dogs/finals/").content.decode()
    page = client.post("/c/dogs/finals/", {"final": str(made.pk)}, follow=True).content.decode()
    assert "by default" not in page
    assert "checked" in page
    page = client.post("/c/dogs/finals/", {"final": "x"}, follow=True).content.decode()
    assert "not one of your team" in page


def test_the_finals_page_lists_equal_scores_earliest_first(teams):
    from genmem.arena.core import clock

    from ..factories import captain, scored, signed_in

    hour = timedelta(hours=1)
    start = clock.now() - 10 * hour
    names = {"second.zip": 2, "first.zip": 1, "third.zip": 3, "best.zip": 4}
    for name, hours in names.items():
        score = 4.0 if name == "best.zip" else 5.0
        scored(teams[0], score, original_name=name, received_at=start + hours * hour)
    page = signed_in(captain(teams[0])).get("/c/dogs/finals/").content.decode()
    assert sorted(names, key=page.index) == ["best.zip", "first.zip", "second.zip", "third.zip"]


def test_a_member_sees_their_rank_and_how_it_went(teams, time):
    from ..factories import captain, scored, signed_in

    scored(teams[0], 9.0)
    time.pass_(hours=1)
    scored(teams[1], 5.0)
    client = signed_in(captain(teams[0]))
    assert "of 2" in client.get("/c/dogs/leaderboard/").content.decode()
    page = client.get("/c/dogs/leaderboard/public/history/").content.decode()
    assert "20 May 2026, 13:00 UTC" in page
    assert client.get("/c/dogs/leaderboard/other/history/").status_code == 404


def test_a_long_leaderboard_comes_in_pages_and_a_team_finds_the_one_it_is_on(
    competition, teams, monkeypatch
):
    from django.test import Client

    from genmem.arena.leaderboards import views

    from ..factories import captain, scored, signed_in

    monkeypatch.setattr(views, "_ROWS", 2)
    for team, score in zip(teams, (3.0, 5.0, 9.0), strict=True):
        scored(team, score)
    first = Client().get("/c/dogs/leaderboard/").content.decode()
    assert "alpha" in first
    assert "beta" in first
    assert "gamma" not in first
    assert 'href="?page=2">3–3' in first
    second = Client().get("/c/dogs/leaderboard/?page=2").content.decode()
    assert "gamma" in second
    assert "alpha" not in second
    mine = signed_in(captain(teams[2])).get("/c/dogs/leaderboard/").content.decode()
    assert f'href="?page=2#team-{teams[2].pk}"' in mine
    for wrong in ("0", "3", "-1", "x", "²", "9" * 30):
        assert Client().get(f"/c/dogs/leaderboard/?page={wrong}").status_code == 404


def test_strangers_get_one_compressed_page_until_the_leaderboard_changes(competition, teams):
    import gzip

    from django.test import Client

    from ..factories import scored

    def page(client):
        return client.get("/c/dogs/leaderboard/", headers={"Accept-Encoding": "gzip"})

    scored(teams[0], 5.0)
    first = page(Client())
    assert first.headers["Content-Encoding"] == "gzip"
    assert "alpha" in gzip.decompress(first.content).decode()
    assert page(Client()).content == first.content
    scored(teams[1], 4.0)
    assert "beta" in gzip.decompress(page(Client()).content).decode()


def test_scores_log_and_splits_are_only_ever_added_to(competition, teams):
    from genmem.arena.auditlog.log import record
    from genmem.arena.auditlog.models import LogEntry
    from genmem.arena.competitions.models import Split
    from genmem.arena.leaderboards.models import ScoreVersion

    from ..factories import scored

    scored(teams[0], 5.0)
    record(competition, actor=None, action="x", subject="y")
    for model in (ScoreVersion, LogEntry):
        row = model.objects.all()[0]
        for change in (row.save, row.delete, model.objects.all().delete):
            with pytest.raises(TypeError, match="never"):
                change()
        with pytest.raises(TypeError, match="never change"):
            model.objects.update(pk=9)
    with pytest.raises(TypeError, match="never changes"):
        Split.objects.all()[0].save()
