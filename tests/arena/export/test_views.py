"""Exports from the browser: started, run in a thread, downloaded as a zip."""

import io
import zipfile

import pytest

pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture
def organizer(competition):
    from genmem.arena.teams.models import Role

    from ..factories import a_user, signed_in

    user = a_user("organizer")
    Role.objects.create(competition=competition, user=user, role="organizer")
    return signed_in(user)


@pytest.fixture
def at_once(monkeypatch):
    """A thread would not see rows that the test has not committed."""
    from genmem.arena.competitions.models import Competition
    from genmem.arena.export import jobs

    def start(pk, token, **options):
        jobs.run_export(Competition.objects.get(pk=pk), token, **options)

    monkeypatch.setattr(jobs, "start_thread", start)


def fetch(client):
    from genmem.arena.auditlog.models import LogEntry

    token = LogEntry.objects.filter(action="finish export").latest("pk").subject
    return client.get(f"/c/dogs/export/{token}.zip")


@pytest.mark.usefixtures("at_once")
def test_an_export_is_run_and_downloaded(organizer, competition):
    from .factories import a_full_competition

    a_full_competition(competition)
    answer = organizer.post("/c/dogs/export/", {"private": "on"}, follow=True)
    assert "Export of " in answer.content.decode()
    assert "with the private split, with pseudonyms, by <bdi>organizer</bdi>" in " ".join(
        answer.content.decode().split()
    )
    answer = fetch(organizer)
    assert answer.streaming
    assert answer.headers["Content-Disposition"] == 'attachment; filename="dogs-export.zip"'
    with zipfile.ZipFile(io.BytesIO(b"".join(answer.streaming_content))) as archive:
        assert archive.testzip() is None
        assert "dogs/ratings.parquet" in archive.namelist()
        assert "dogs/DATASHEET.md" in archive.namelist()


@pytest.mark.usefixtures("at_once")
def test_an_export_that_fails_says_so_and_can_be_started_again(organizer, monkeypatch):
    from genmem.arena.export import jobs

    def fail(*_, **__):
        raise OSError("no space")

    with monkeypatch.context() as patched:
        patched.setattr(jobs, "export", fail)
        shown = organizer.post("/c/dogs/export/", follow=True).content.decode()
    assert "Failed</span>" in shown
    assert "see the server&#x27;s log" in shown
    organizer.post("/c/dogs/export/")
    assert fetch(organizer).status_code == 200


def test_one_export_runs_at_a_time(organizer, monkeypatch, time):
    from genmem.arena.export import jobs

    started = []
    monkeypatch.setattr(jobs, "start_thread", lambda *given, **_: started.append(given))
    shown = organizer.post("/c/dogs/export/", follow=True).content.decode()
    assert "Running</span>" in shown
    assert "data-live" in shown
    shown = organizer.post("/c/dogs/export/", follow=True).content.decode()
    assert "Wait until it has finished" in shown
    assert len(started) == 1
    time.pass_(hours=3)
    assert (
        "the server stopped before it had finished"
        in organizer.get("/c/dogs/export/").content.decode()
    )
    organizer.post("/c/dogs/export/")
    assert len(started) == 2


@pytest.mark.usefixtures("at_once")
def test_the_newest_three_are_stored(organizer, competition):
    from genmem.arena.export.jobs import export_jobs
    from genmem.arena.submissions import storage

    for _ in range(5):
        organizer.post("/c/dogs/export/")
    assert [one.state for one in export_jobs(competition)] == ["finished"] * 3 + ["removed"] * 2
    for one in export_jobs(competition):
        kept = storage.exists(f"exports/{competition.pk}/{one.token}.zip")
        assert kept == (one.state == "finished")
    oldest = export_jobs(competition)[-1]
    assert organizer.get(f"/c/dogs/export/{oldest.token}.zip").status_code == 404


@pytest.mark.usefixtures("at_once")
def test_an_export_is_not_found_under_another_competition(organizer, competition):
    from genmem.arena.auditlog.models import LogEntry

    from ..factories import a_competition, a_user, signed_in

    a_competition("cats")
    organizer.post("/c/dogs/export/")
    token = LogEntry.objects.filter(action="finish export").latest("pk").subject
    staff = signed_in(a_user(is_staff=True))
    assert staff.get(f"/c/dogs/export/{token}.zip").status_code == 200
    assert staff.get(f"/c/cats/export/{token}.zip").status_code == 404
    assert staff.get("/c/dogs/export/AAAA.zip").status_code == 404
