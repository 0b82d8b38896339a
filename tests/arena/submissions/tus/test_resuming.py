"""A resumable upload: cut anywhere it goes on, damaged it is refused, and it counts once."""

from datetime import timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

pytestmark = pytest.mark.usefixtures("database")


def test_a_file_in_two_pieces_becomes_a_submission(sender, content, world, time):
    from .client import begun, kept, pieces_left, submissions

    where = begun(sender, content, filename="my dogs.zip")
    assert sender.patch(where, 0, content[:100]).headers["Upload-Offset"] == "100"
    answer = sender.patch(where, 100, content[100:])
    assert (answer.status_code, answer.headers["Upload-Offset"]) == (204, str(len(content)))
    (made,) = submissions()
    assert answer.headers["Submission-Location"] == f"/c/dogs/submissions/{made.pk}/"
    assert (made.team, made.original_name, made.received_at) == (world, "my dogs.zip", time.at)
    assert kept(made) == content
    assert pieces_left() == []


def test_limits_are_said_before_the_upload(sender):
    answer = sender.client.options("/c/dogs/uploads/")
    assert answer.status_code == 204
    assert answer.headers["Tus-Version"] == "1.0.0"
    assert answer.headers["Tus-Max-Size"] == "100000"
    assert answer.headers["Tus-Extension"] == "creation,expiration,termination,checksum"
    assert "sha1" in answer.headers["Tus-Checksum-Algorithm"].split(",")


@given(
    cuts=st.lists(st.tuples(st.floats(0, 1), st.booleans(), st.booleans()), max_size=5),
    edge=st.sampled_from([None, 0, 1, -1]),
)
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_cut_at_any_byte_it_goes_on_and_arrives_whole(sender, content, cuts, edge):
    """Each cut: where, whether the rest was announced, whether the connection said so."""
    from .client import begun, kept, submissions

    size = len(content)
    points = [(round(share * size), *how) for share, *how in cuts]
    if edge is not None:
        points.append((edge % size, True, True))
    where, before = begun(sender, content), len(submissions())
    for at, announced, error in sorted(points):
        start = sender.offset(where)
        piece = content[start:] if announced else content[start:at]
        sender.cut(where, start, piece, at - start, error=error)
        assert sender.offset(where) == at
    start = sender.offset(where)
    assert "Submission-Location" in sender.patch(where, start, content[start:]).headers
    assert len(submissions()) == before + 1
    assert kept(submissions()[-1]) == content


def test_a_damaged_piece_is_refused_and_the_offset_stays(sender, content):
    from .client import begun, checksum

    where = begun(sender, content)
    for algorithm in ("sha1", "sha256", "md5"):
        answer = sender.patch(where, 0, b"x" + content[1:50], checksum(content[:50], algorithm))
        assert answer.status_code == 460
        assert sender.offset(where) == 0
    assert sender.patch(where, 0, content[:50], checksum(content[:50])).status_code == 204
    assert sender.offset(where) == 50


def test_a_piece_with_a_hash_that_is_cut_off_counts_for_nothing(sender, content):
    from .client import Broken, begun, checksum, send_stream

    where = begun(sender, content)
    send_stream(sender, where, Broken(content[:20]), 50, checksum(content[:50]))
    assert sender.offset(where) == 0


@pytest.mark.parametrize(
    ("header", "status"),
    [("crc32 aGk=", 400), ("sha256", 460), ("sha256 !!", 400), ("sha256 aGk=", 460)],
)
def test_a_checksum_that_makes_no_sense_is_refused(sender, content, header, status):
    from .client import begun

    where = begun(sender, content)
    answer = sender.patch(where, 0, content[:50], {"Upload-Checksum": header})
    assert answer.status_code == status
    assert sender.offset(where) == 0


def test_a_file_with_another_sha256_is_refused_and_nothing_of_it_is_kept(sender, content):
    from .client import begun, pieces_left, submissions

    where = begun(sender, content, sha256="0" * 64)
    answer = sender.patch(where, 0, content)
    assert answer.status_code == 400
    assert "arrived damaged" in answer.content.decode()
    assert submissions() == []
    assert pieces_left() == []
    assert sender.head(where).status_code == 404


def test_asked_again_after_the_last_answer_was_lost_it_is_the_same_submission(sender, content):
    from .client import begun, submissions

    where = begun(sender, content)
    first = sender.patch(where, 0, content).headers["Submission-Location"]
    again = sender.patch(where, len(content), b"")
    assert (again.status_code, again.headers["Submission-Location"]) == (204, first)
    assert sender.head(where).headers["Submission-Location"] == first
    assert sender.patch(where, 0, content).status_code == 409
    assert len(submissions()) == 1


def test_killed_after_the_last_byte_it_counts_from_when_that_was_here(
    sender, content, world, time, monkeypatch
):
    from genmem.arena.submissions import tus

    from .client import begun, set_written_at, submissions

    class KilledError(BaseException):
        pass

    def kill(_):
        raise KilledError

    where = begun(sender, content)
    time.set(world.competition.closes_at)
    with monkeypatch.context() as patched:
        patched.setattr(tus, "finish", kill)
        with pytest.raises(KilledError):
            sender.patch(where, 0, content)
    assert submissions() == []
    set_written_at(where, world.competition.closes_at)
    time.pass_(hours=5)
    assert "Submission-Location" in sender.head(where).headers
    (made,) = submissions()
    assert made.received_at == world.competition.closes_at


def test_a_piece_after_the_deadline_is_refused(sender, content, world, time):
    from .client import begun, submissions

    where = begun(sender, content)
    sender.patch(where, 0, content[:50])
    time.set(world.competition.closes_at + timedelta(seconds=1))
    answer = sender.patch(where, 50, content[50:])
    assert answer.status_code == 403
    assert "deadline was" in answer.content.decode()
    assert submissions() == []
    assert sender.begin(10).status_code == 403


def test_the_last_byte_after_the_deadline_is_too_late(sender, content, world, time):
    from .client import Broken, begun, send_stream, submissions

    class Slow(Broken):
        def read(self, size=-1):
            time.set(world.competition.closes_at + timedelta(seconds=1))
            return super().read(size)

    where = begun(sender, content)
    answer = send_stream(sender, where, Slow(content), len(content))
    assert answer.status_code == 403
    assert submissions() == []


def test_two_at_once_one_writes_and_the_other_is_told(sender, content):
    from .client import Broken, begun, kept, send_stream, submissions

    class Interrupted(Broken):
        """While its second piece is waited for, another request sends."""

        def read(self, size=-1):
            if self.content.tell():
                told.append(sender.patch(where, 50, content[50:90]))
                return b""
            return super().read(50)

    told = []
    where = begun(sender, content)
    send_stream(sender, where, Interrupted(content), len(content))
    assert told[0].status_code == 204
    answer = sender.patch(where, 50, content[50:])
    assert (answer.status_code, answer.headers["Upload-Offset"]) == (409, "90")
    assert sender.patch(where, 90, content[90:]).status_code == 204
    assert kept(submissions()[0]) == content


def test_a_full_day_lets_the_upload_wait_for_the_next(sender, content, world, time):
    from ...factories import scored
    from .client import begun, submissions

    where = begun(sender, content)
    world.competition.daily_limit = 1
    world.competition.closes_at += timedelta(days=9)
    world.competition.save()
    sender.patch(where, 0, content[:-1])
    scored(world, 1.0)
    assert sender.patch(where, len(content) - 1, content[-1:]).status_code == 429
    time.pass_(days=1)
    assert sender.patch(where, len(content) - 1, content[-1:]).status_code == 204
    assert len(submissions()) == 2


def test_a_client_that_cannot_say_patch_says_it_in_a_header(sender, content):
    from .client import begun, submissions

    where = begun(sender, content)
    answer = sender.client.generic(
        "POST",
        where,
        content,
        content_type="application/offset+octet-stream",
        headers={**sender.headers, "Upload-Offset": "0", "X-HTTP-Method-Override": "PATCH"},
    )
    assert answer.status_code == 204
    assert len(submissions()) == 1
