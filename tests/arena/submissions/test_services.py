"""Submissions come in through one door: in time, within limits, whole, or not at all."""

import hashlib
from datetime import UTC, datetime, timedelta

import pytest

from ..images import a_zip

pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture
def team(competition):
    from ..factories import a_team

    return a_team(competition, people=2)


@pytest.fixture
def good(tmp_path):
    return a_zip(tmp_path / "good.zip")


def refusal(team, path, **changes):
    from genmem.arena.submissions.exceptions import SubmissionRefused
    from genmem.arena.submissions.models import Submission

    from ..factories import send

    before = Submission.objects.count()
    with pytest.raises(SubmissionRefused) as caught:
        send(team, path, **changes)
    assert Submission.objects.count() == before
    return caught.value


def test_a_submission_is_kept_with_its_hash_and_waits_for_its_steps(team, good, arena, time):
    from genmem.arena.submissions.models import STEPS, Step

    from ..factories import send

    made = send(team, good, original_name="C:\\Users\\me\\dogs.zip")
    assert (made.state, made.received_at, made.original_name) == ("received", time.at, "dogs.zip")
    assert made.sha256 == hashlib.sha256(good.read_bytes()).hexdigest()
    assert (arena / "storage" / made.file).read_bytes() == good.read_bytes()
    assert good.exists()
    steps = Step.objects.filter(submission=made).order_by("pk")
    assert [(step.name, step.state) for step in steps] == [(name, "waiting") for name in STEPS]


def test_the_last_moment_of_the_deadline_is_in_time(team, good, time):
    from ..factories import send

    time.set(team.competition.closes_at)
    assert send(team, good).received_at == team.competition.closes_at


@pytest.mark.parametrize("late", [timedelta(microseconds=1), timedelta(seconds=1)])
def test_a_submission_received_after_the_deadline_is_refused(team, good, time, late):
    time.set(team.competition.closes_at + late)
    refused = refusal(team, good)
    assert refused.status == 403
    assert "The deadline was 30 May 2026, 12:00 UTC" in str(refused)


def test_the_refusal_tells_when_the_upload_was_complete_to_the_second(team, good, time):
    time.set(team.competition.closes_at + timedelta(seconds=1))
    assert "complete at 30 May 2026, 12:00:01 UTC" in str(refusal(team, good))


def test_nothing_is_taken_before_the_competition_opens(team, good, time):
    time.set(team.competition.opens_at - timedelta(seconds=1))
    assert "open at 10 May 2026" in str(refusal(team, good))


def test_the_daily_limit_holds_until_the_utc_day_ends(team, good, time):
    from ..factories import send

    for _ in range(3):
        send(team, good)
    refused = refusal(team, good)
    assert refused.status == 429
    assert "3 of 3" in str(refused)
    assert "21 May 2026, 00:00 UTC" in str(refused)
    time.set(datetime(2026, 5, 20, 23, 59, 59, tzinfo=UTC))
    refusal(team, good)
    time.set(datetime(2026, 5, 21, tzinfo=UTC))
    send(team, good)


def test_refused_and_failed_submissions_do_not_count(team, good):
    from genmem.arena.submissions.models import Submission
    from genmem.arena.submissions.services import allowance

    from ..factories import send

    for state in ("refused", "failed", "scored"):
        made = send(team, good)
        Submission.objects.filter(pk=made.pk).update(
            state=state, counts_against_limit=state == "scored"
        )
    assert allowance(team).left == 2


def test_another_teams_submissions_do_not_count(team, good):
    from genmem.arena.submissions.services import allowance

    from ..factories import a_team, send

    send(a_team(team.competition), good)
    assert allowance(team).used == 0


def test_leaving_for_another_team_wins_no_submissions(team, good):
    from genmem.arena.submissions.services import allowance
    from genmem.arena.teams.teams import create_team, leave

    from ..factories import member, send

    author = member(team, 1)
    for _ in range(3):
        send(team, good, author=author)
    leave(team, author)
    fresh = create_team(team.competition, author, "A fresh start")
    assert allowance(fresh).left == 0


def test_submissions_in_another_competition_do_not_count(team, good):
    from genmem.arena.submissions.services import allowance

    from ..factories import a_competition, a_team, captain, send

    other = a_team(a_competition("cats"))
    mine = captain(team)
    other.memberships.update(user=mine)
    send(other, good, author=mine)
    assert allowance(team).used == 0


def test_a_file_larger_than_allowed_is_refused(team, tmp_path):
    path = tmp_path / "large.zip"
    path.write_bytes(bytes(100_001))
    refused = refusal(team, path)
    assert refused.status == 413
    assert "100,001 bytes" in str(refused)


def test_an_empty_file_is_refused(team, tmp_path):
    (tmp_path / "empty.zip").touch()
    assert "empty" in str(refusal(team, tmp_path / "empty.zip"))


def test_a_file_that_arrived_damaged_is_refused_and_not_kept(team, good, arena):
    refused = refusal(team, good, sha256="0" * 64)
    assert "arrived damaged" in str(refused)
    assert not list((arena / "storage").glob("submissions/*"))


def test_a_hash_in_capitals_is_the_same_hash(team, good):
    from ..factories import send

    found = hashlib.sha256(good.read_bytes()).hexdigest()
    assert send(team, good, sha256=found.upper()).sha256 == found


def test_a_kind_that_is_not_asked_for_is_refused(team, good):
    assert "accepts images, not code" in str(refusal(team, good, kind="code"))


def test_only_a_member_can_send(team, good):
    from ..factories import a_user

    assert "You are not in the team" in str(refusal(team, good, author=a_user()))


def test_nothing_is_kept_for_long_when_the_database_fails(team, good, arena, monkeypatch):
    from genmem.arena.submissions import services
    from genmem.arena.submissions.orphans import remove_orphans

    from ..factories import send

    def fail(rows):
        raise RuntimeError("no")

    monkeypatch.setattr(services.Step.objects, "bulk_create", fail)
    with pytest.raises(RuntimeError):
        send(team, good)
    assert len(remove_orphans(timedelta(days=-10_000))) == 1
    assert not list((arena / "storage").glob("submissions/*"))


def post(team, path, **fields):
    from ..factories import captain, signed_in

    with path.open("rb") as file:
        return signed_in(captain(team)).post(
            f"/c/{team.competition.slug}/submissions/new/",
            {"kind": "images", "file": file, **fields},
        )


def test_the_form_takes_a_zip_and_leads_to_the_submission(team, good):
    from genmem.arena.submissions.models import Submission

    answer = post(team, good)
    made = Submission.objects.get()
    assert answer.status_code == 302
    assert answer.url == f"/c/dogs/submissions/{made.pk}/"


def test_the_form_refuses_with_the_status_and_words_of_the_reason(team, good, time):
    time.set(team.competition.closes_at + timedelta(seconds=1))
    answer = post(team, good)
    assert answer.status_code == 403
    assert "The deadline was" in answer.content.decode()


def test_the_form_cuts_off_what_is_too_large(team, tmp_path, arena):
    path = tmp_path / "large.zip"
    path.write_bytes(bytes(3_000_000))
    answer = post(team, path)
    assert answer.status_code == 413
    assert "the limit is 100 kB" in answer.content.decode()
    assert not list((arena / "storage" / "incoming").iterdir())


def test_the_form_asks_for_a_file_and_a_proper_hash(team, good):
    answer = post(team, good, sha256="abc")
    assert answer.status_code == 400
    assert "Expected 64 hexadecimal digits" in answer.content.decode()


def test_the_form_is_protected_from_other_sites(team, good):
    from django.test import Client

    from ..factories import captain

    client = Client(enforce_csrf_checks=True)
    client.force_login(captain(team))
    with good.open("rb") as file:
        answer = client.post("/c/dogs/submissions/new/", {"kind": "images", "file": file})
    assert answer.status_code == 403
    assert "The form expired" in answer.content.decode()
