"""What is not taken or not kept of uploads, and who finds them."""

from datetime import timedelta

import pytest

pytestmark = pytest.mark.usefixtures("database")


def test_only_its_author_finds_an_upload(sender, content, world):
    from django.test import Client

    from ...factories import a_team, captain, member, signed_in
    from .client import Sender, begun

    where = begun(sender, content)
    other = captain(a_team(world.competition))
    for somebody in (other, member(world, 1)):
        stranger = Sender(signed_in(somebody))
        assert stranger.head(where).status_code == 404
        assert stranger.patch(where, 0, content).status_code == 404
        assert stranger.delete(where).status_code == 404
    nobody = Sender(Client())
    assert nobody.head(where).status_code == 401
    assert nobody.begin(10).status_code == 401
    assert sender.offset(where) == 0


def test_an_upload_is_not_found_under_another_competition(sender, content):
    from ...factories import a_competition
    from .client import begun

    a_competition("cats")
    where = begun(sender, content).replace("/dogs/", "/cats/")
    assert sender.head(where).status_code == 404


@pytest.mark.parametrize(
    ("length", "headers", "status", "words"),
    [
        (100_001, {}, 413, "the limit is 100 kB"),
        (0, {}, 400, "empty"),
        (10, {"Upload-Length": "-1"}, 400, "Expected Upload-Length"),
        (10, {"Upload-Length": "²"}, 400, "Expected Upload-Length"),
        (10, {"Upload-Length": "9" * 30}, 400, "Expected Upload-Length"),
        (10, {"Upload-Defer-Length": "1"}, 400, "known at the beginning"),
        (10, {"Upload-Metadata": "kind !"}, 400, "base64"),
        (10, {"Upload-Metadata": "kind Y29kZQ=="}, 400, "accepts images, not code"),
        (10, {"Upload-Metadata": "sha256 aGk="}, 400, "64 hexadecimal digits"),
        (10, {"Upload-Metadata": "filename /w=="}, 400, "expected UTF-8"),
        (10, {"Tus-Resumable": "0.2.2"}, 412, "Expected Tus-Resumable: 1.0.0"),
    ],
)
def test_what_cannot_be_taken_is_refused_at_the_beginning(sender, length, headers, status, words):
    answer = sender.begin(length, headers)
    assert (answer.status_code, words in answer.content.decode()) == (status, True)
    assert answer.headers["Tus-Resumable"] == "1.0.0"


@pytest.mark.parametrize(
    ("offset", "headers", "status"),
    [
        (5, {}, 409),
        (0, {"Content-Type": "application/zip"}, 415),
        (0, {"Upload-Offset": "x"}, 400),
        (0, {"Transfer-Encoding": "chunked"}, 411),
        (0, {"Tus-Resumable": "2"}, 412),
    ],
)
def test_a_piece_that_does_not_fit_is_refused(sender, content, offset, headers, status):
    from .client import begun

    where = begun(sender, content)
    assert sender.patch(where, offset, content[:10], headers).status_code == status
    assert sender.offset(where) == 0


def test_more_than_was_announced_is_refused(sender, content):
    from .client import begun

    where = begun(sender, content)
    assert sender.patch(where, 0, content + b"x").status_code == 413
    assert sender.offset(where) == 0


def test_an_upload_that_waited_too_long_is_gone_and_so_is_its_file(sender, content, world, time):
    from .client import begun, pieces_left

    world.competition.closes_at += timedelta(days=9)
    world.competition.save()
    where = begun(sender, content)
    sender.patch(where, 0, content[:50])
    time.pass_(days=1)
    sender.patch(where, 50, content[50:60])
    assert sender.head(where).headers["Upload-Expires"] == "Sat, 23 May 2026 12:00:00 GMT"
    time.pass_(days=2, seconds=1)
    assert sender.head(where).status_code == 410
    assert sender.head(where).status_code == 404
    assert pieces_left() == []


def test_a_discarded_upload_is_gone(sender, content):
    from .client import begun, pieces_left

    where = begun(sender, content)
    assert sender.delete(where).status_code == 204
    assert sender.head(where).status_code == 404
    assert pieces_left() == []


def test_a_submission_stays_when_its_upload_is_to_be_discarded(sender, content):
    from .client import begun, submissions

    where = begun(sender, content)
    sender.patch(where, 0, content)
    assert sender.delete(where).status_code == 409
    assert len(submissions()) == 1


def test_the_oldest_of_many_open_uploads_makes_room_for_a_new_one(sender, content, time):
    from genmem.arena.submissions.uploads import OPEN_AT_ONCE

    from .client import begun, pieces_left

    first = begun(sender, content)
    for _ in range(OPEN_AT_ONCE):
        time.pass_(seconds=1)
        last = begun(sender, content)
    assert sender.head(first).status_code == 404
    assert sender.head(last).status_code == 200
    assert len(pieces_left()) == OPEN_AT_ONCE


def test_a_full_disk_is_said_before_the_upload(sender, monkeypatch):
    from genmem.arena.submissions import uploads

    monkeypatch.setattr(uploads, "free_bytes", lambda: 1000)
    answer = sender.begin(900)
    assert (answer.status_code, "disk is full" in answer.content.decode()) == (507, True)


def test_a_disk_that_fills_up_on_the_way_keeps_what_it_has(sender, content, monkeypatch):
    from genmem.arena.submissions import uploads

    from .client import begun

    def full(*_):
        raise OSError(28, "No space left on device")

    where = begun(sender, content)
    sender.patch(where, 0, content[:50])
    with monkeypatch.context() as patched:
        patched.setattr(uploads.os, "pwrite", full)
        assert sender.patch(where, 50, content[50:]).status_code == 507
    assert sender.offset(where) == 50


def test_whoever_has_only_a_cookie_needs_the_forms_secret_too(world, content):
    from django.test import Client

    from genmem.arena.accounts.tokens import create_token

    from ...factories import captain
    from .client import Sender, begun

    client = Client(enforce_csrf_checks=True)
    client.force_login(captain(world))
    assert Sender(client).begin(len(content)).status_code == 403
    page = client.get("/c/dogs/submissions/new/").content.decode()
    secret = page.split('name="csrfmiddlewaretoken" value="')[1].split('"')[0]
    told = Sender(client)
    told.headers["X-CSRFToken"] = secret
    where = begun(told, content)
    assert Sender(client).patch(where, 0, content).status_code == 403
    assert told.patch(where, 0, content).status_code == 204
    _, token = create_token(captain(world), "laptop")
    assert begun(Sender(Client(enforce_csrf_checks=True), token=token), content)


def test_a_token_that_was_taken_back_opens_nothing(world, content):
    from django.test import Client

    from genmem.arena.accounts.tokens import create_token, revoke_token

    from ...factories import captain
    from .client import Sender, begun

    made, token = create_token(captain(world), "laptop")
    where = begun(Sender(Client(), token=token), content)
    revoke_token(captain(world), made.pk)
    assert Sender(Client(), token=token).head(where).status_code == 401


def test_a_name_with_what_no_database_takes_is_kept_without_it(sender, content):
    from genmem.arena.submissions.models import Upload

    sender.begin(len(content), filename="a\0b/../c\0\nd.zip")
    assert Upload.objects.get().original_name == "cd.zip"
