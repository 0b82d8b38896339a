"""Nothing that was left half-done stays for ever, and nothing that counts is ever removed."""

import os
import time as real_time
from datetime import UTC, datetime, timedelta

import pytest

from ..images import a_zip

pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture
def team(competition):
    from ..factories import a_team

    return a_team(competition)


@pytest.fixture
def later(team, time):
    """Three hours from now, by the real clock that files are dated by."""

    def move(**length):
        time.set(datetime.fromtimestamp(real_time.time(), UTC) + timedelta(**length))

    return move


def sweep():
    from genmem.arena.submissions.orphans import remove_orphans

    return remove_orphans(older_than=timedelta(hours=1))


def test_a_file_that_no_row_names_goes_after_a_while(team, tmp_path, later, monkeypatch):
    from genmem.arena.submissions import services
    from genmem.arena.submissions.storage import list_names

    from ..factories import send

    path = a_zip(tmp_path / "dogs.zip")
    good = send(team, path)

    class KilledError(BaseException):
        pass

    def kill(_):
        raise KilledError

    with monkeypatch.context() as patched:
        patched.setattr(services.Step.objects, "bulk_create", kill)
        with pytest.raises(KilledError):
            send(team, path)
    orphans = set(list_names("submissions/")) - {good.file}
    assert len(orphans) == 1
    later(minutes=30)
    assert sweep() == []
    later(hours=3)
    assert set(sweep()) == orphans
    assert list_names("submissions/") == [good.file]


def test_an_upload_that_expired_goes_with_its_file(team, later):
    from genmem.arena.submissions.models import Upload
    from genmem.arena.submissions.storage import incoming_folder
    from genmem.arena.submissions.uploads import begin, path_of

    from ..factories import captain

    old = begin(team, captain(team), kind="images", length=10, original_name="a.zip")
    later(hours=3)
    stray = incoming_folder() / "uploads" / "stray"
    for path in (stray, incoming_folder() / "left.upload"):
        path.write_bytes(b"x")
        os.utime(path, (0, 0))
    sweep()
    assert not Upload.objects.filter(pk=old.pk).exists()
    assert not path_of(old).exists()
    assert not stray.exists()
    assert not (incoming_folder() / "left.upload").exists()


def test_an_upload_that_waits_for_its_next_piece_is_left_alone(team):
    from genmem.arena.submissions.uploads import begin, path_of

    from ..factories import captain

    waiting = begin(team, captain(team), kind="images", length=10, original_name="a.zip")
    os.utime(path_of(waiting), (0, 0))
    sweep()
    assert path_of(waiting).exists()
