"""Releases from the browser: asked for, made beside the pages, fetched as a zip."""

import io
import zipfile

import pytest

pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture
def organiser(competition):
    from genmem.arena.teams.models import Role

    from ..factories import a_user, signed_in

    user = a_user("organiser")
    Role.objects.create(competition=competition, user=user, role="organiser")
    return signed_in(user)


@pytest.fixture
def at_once(monkeypatch):
    """A thread would not see rows that the test has not committed."""
    from genmem.arena.competitions.models import Competition
    from genmem.arena.export import jobs

    def start(pk, token, **options):
        jobs.make(Competition.objects.get(pk=pk), token, **options)

    monkeypatch.setattr(jobs, "start", start)


def fetch(client):
    from genmem.arena.auditlog.models import LogEntry

    token = LogEntry.objects.filter(action="made export").latest("pk").subject
    return client.get(f"/c/dogs/export/{token}.zip")


@pytest.mark.usefixtures("at_once")
def test_a_release_is_made_and_fetched(organiser, competition):
    from .factories import a_full_competition

    a_full_competition(competition)
    answer = organiser.post("/c/dogs/export/", {"private": "on"}, follow=True)
    assert "Release of " in answer.content.decode()
    assert "with the private split, under pseudonyms, by <bdi>organiser</bdi>" in " ".join(
        answer.content.decode().split()
    )
    answer = fetch(organiser)
    assert answer.streaming
    assert answer.headers["Content-Disposition"] == 'attachment; filename="dogs-release.zip"'
    with zipfile.ZipFile(io.BytesIO(b"".join(answer.streaming_content))) as archive:
        assert archive.testzip() is None
        assert "dogs/ratings.parquet" in archive.namelist()
        assert "dogs/DATASHEET.md" in archive.namelist()


@pytest.mark.usefixtures("at_once")
def test_a_release_that_fails_says_so_and_can_be_made_again(organiser, monkeypatch):
    from genmem.arena.export import jobs

    def fail(*_, **__):
        raise OSError("no space")

    with monkeypatch.context() as patched:
        patched.setattr(jobs, "export", fail)
        shown = organiser.post("/c/dogs/export/", follow=True).content.decode()
    assert "Failed</span>" in shown
    assert "the server&#x27;s log says why" in shown
    organiser.post("/c/dogs/export/")
    assert fetch(organiser).status_code == 200


def test_one_release_is_made_at_a_time(organiser, monkeypatch, time):
    from genmem.arena.export import jobs

    started = []
    monkeypatch.setattr(jobs, "start", lambda *given, **_: started.append(given))
    shown = organiser.post("/c/dogs/export/", follow=True).content.decode()
    assert "Being made" in shown
    assert "data-live" in shown
    shown = organiser.post("/c/dogs/export/", follow=True).content.decode()
    assert "wait until it is there" in shown
    assert len(started) == 1
    time.pass_(hours=3)
    assert (
        "the server stopped before it was done" in organiser.get("/c/dogs/export/").content.decode()
    )
    organiser.post("/c/dogs/export/")
    assert len(started) == 2


@pytest.mark.usefixtures("at_once")
def test_the_newest_three_are_kept(organiser, competition):
    from genmem.arena.export.jobs import makings
    from genmem.arena.submissions import storage

    for _ in range(5):
        organiser.post("/c/dogs/export/")
    assert [one.state for one in makings(competition)] == ["made"] * 3 + ["removed"] * 2
    for one in makings(competition):
        kept = storage.exists(f"releases/{competition.pk}/{one.token}.zip")
        assert kept == (one.state == "made")
    oldest = makings(competition)[-1]
    assert organiser.get(f"/c/dogs/export/{oldest.token}.zip").status_code == 404


@pytest.mark.usefixtures("at_once")
def test_a_release_is_not_found_under_another_competition(organiser, competition):
    from genmem.arena.auditlog.models import LogEntry

    from ..factories import a_competition, a_user, signed_in

    a_competition("cats")
    organiser.post("/c/dogs/export/")
    token = LogEntry.objects.filter(action="made export").latest("pk").subject
    staff = signed_in(a_user(is_staff=True))
    assert staff.get(f"/c/dogs/export/{token}.zip").status_code == 200
    assert staff.get(f"/c/cats/release/{token}.zip").status_code == 404
    assert staff.get("/c/dogs/export/AAAA.zip").status_code == 404
