"""Files are kept behind one door: in a folder, and in a bucket, with the same results."""

import os
import time as real_time
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

pytestmark = pytest.mark.usefixtures("arena")


@pytest.fixture(scope="session")
def bucket_service():
    """An S3-compatible service in this process: its address."""
    pytest.importorskip("moto.server")
    import boto3
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    boto3.session.Session().client(
        "s3",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id="key",
        aws_secret_access_key="hush",
    ).create_bucket(Bucket="arena")
    yield endpoint
    server.stop()


@pytest.fixture(params=["folder", "bucket"])
def storage(request, tmp_path, monkeypatch):
    """The door, with an empty place behind it."""
    from django.conf import settings

    from genmem.arena.submissions import storage

    changes = {"folder": tmp_path}
    if request.param == "bucket":
        changes |= {
            "storage": f"s3://arena/{tmp_path.name}",
            "storage_endpoint": request.getfixturevalue("bucket_service"),
            "storage_key": "key",
            "storage_secret": "hush",
        }
    monkeypatch.setattr(settings, "ARENA", replace(settings.ARENA, **changes))
    storage.check_storage()
    return storage


@pytest.fixture
def source(tmp_path):
    path = tmp_path / "source"
    path.write_bytes(b"content")
    return path


def read(storage, name):
    with storage.open_read(name) as stream:
        return stream.read()


def test_what_is_kept_is_found_again_and_outlives_its_source(storage, source):
    storage.store_file(source, "features/a/b.npy")
    source.unlink()
    assert storage.exists("features/a/b.npy")
    assert read(storage, "features/a/b.npy") == b"content"
    with storage.local("features/a/b.npy") as path:
        assert path.read_bytes() == b"content"
        assert path.name == "b.npy"


def test_a_second_file_of_the_same_name_takes_the_place_of_the_first(storage, source):
    storage.store_file(source, "logs/a.log")
    storage.store_file(source, "logs/a.log")
    other = source.with_name("other")
    other.write_bytes(b"more")
    storage.store_file(other, "logs/a.log")
    assert read(storage, "logs/a.log") == b"more"
    assert storage.list_names("") == ["logs/a.log"]


def test_names_are_those_below_a_prefix(storage, source):
    for name in ("output/b.zip", "output/a.zip", "outputs.txt", "features/a/x.npy"):
        storage.store_file(source, name)
    assert storage.list_names("output/") == ["output/a.zip", "output/b.zip"]
    assert storage.list_names("output") == ["output/a.zip", "output/b.zip", "outputs.txt"]
    assert storage.list_names("nothing/") == []
    (_, written_at), *_ = storage.list_files("output/")
    assert abs(written_at - datetime.fromtimestamp(real_time.time(), UTC)) < timedelta(minutes=1)


def test_what_is_removed_is_gone_and_may_be_removed_again(storage, source):
    storage.store_file(source, "features/a/b.npy")
    storage.remove("features/a/b.npy")
    storage.remove("features/a/b.npy")
    assert not storage.exists("features/a/b.npy")
    assert storage.list_names("") == []


def test_what_is_not_there_is_said(storage):
    with pytest.raises(FileNotFoundError):
        storage.open_read("logs/none.log")
    with pytest.raises(FileNotFoundError), storage.local("logs/none.log"):
        pass
    assert not storage.exists("logs/none.log")


@pytest.mark.parametrize(
    "name", ["../a", "a/../b", "/etc/passwd", "a//b", "", "a/", ".a", "a\\b", "a\0b", "incoming/a"]
)
def test_no_name_leads_elsewhere(storage, source, name):
    for call in (storage.local, storage.open_read, storage.exists, storage.remove):
        with pytest.raises(ValueError, match="expected a storage name"):
            call(name)
    with pytest.raises(ValueError, match="expected a storage name"):
        storage.store_file(source, name)


def test_nothing_is_left_of_local_copies(storage, source):
    from genmem.arena.submissions.storage import incoming_folder

    storage.store_file(source, "logs/a.log")
    with storage.local("logs/a.log"):
        pass
    assert list(incoming_folder().iterdir()) == []


@pytest.mark.parametrize("storage", ["bucket"], indirect=True)
def test_what_comes_from_a_bucket_or_goes_there_is_a_heartbeat(storage, source):
    from genmem.arena.core import heartbeat

    with heartbeat.watch("task"):
        heartbeat._beats["task"] = -1e9
        storage.store_file(source, "logs/a.log")
        assert heartbeat.stalled(600) == []
        heartbeat._beats["task"] = -1e9
        with storage.local("logs/a.log"):
            assert heartbeat.stalled(600) == []


@pytest.mark.parametrize("storage", ["folder"], indirect=True)
def test_a_copy_that_is_cut_short_is_never_seen(storage, source, monkeypatch):
    """The disk fills up, or the process is interrupted, in the middle of a write."""
    from genmem.arena.submissions import fs

    def half(_, target):
        target.write_bytes(b"con")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "link", lambda *_: half(None, source.with_name("x")))
    monkeypatch.setattr(fs.shutil, "copyfile", half)
    with pytest.raises(OSError, match="No space left"):
        storage.store_file(source, "logs/a.log")
    assert storage.list_names("") == []
    assert [path.name for path in (storage.incoming_folder().parent / "logs").iterdir()] == []


def test_a_bucket_that_is_not_there_is_one_line_without_the_secret(
    bucket_service, tmp_path, monkeypatch
):
    from django.conf import settings

    from genmem.arena.submissions import storage

    changed = replace(
        settings.ARENA,
        folder=tmp_path,
        storage="s3://nowhere/a",
        storage_endpoint=bucket_service,
        storage_key="key",
        storage_secret="hush",
    )
    monkeypatch.setattr(settings, "ARENA", changed)
    with pytest.raises(storage.StorageError, match="s3://nowhere/a refused: NoSuchBucket") as said:
        storage.check_storage()
    assert "hush" not in str(said.value)
