import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest

from genmem.errors import UsageError
from genmem.io.atomic import atomic_write, check_writable


def test_a_file_written_in_full_replaces_the_old_one(tmp_path):
    path = tmp_path / "out.html"
    path.write_text("old")
    with atomic_write(path) as file:
        file.write(b"new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert list(tmp_path.iterdir()) == [path]


def test_an_error_in_the_middle_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "out.html"
    path.write_text("old")

    def write_half():
        with atomic_write(path) as file:
            file.write(b"half of the ne")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        write_half()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_written_file_has_the_permissions_the_umask_gives(tmp_path):
    with atomic_write(tmp_path / "a"):
        pass
    (tmp_path / "b").touch()
    assert (tmp_path / "a").stat().st_mode == (tmp_path / "b").stat().st_mode


def test_a_missing_folder_is_named_before_and_while_writing(tmp_path):
    path = tmp_path / "nowhere" / "out.json"
    with pytest.raises(UsageError, match=r"no folder .*nowhere"):
        check_writable(path)
    with pytest.raises(UsageError, match="no such file"), atomic_write(path):
        pass


def test_a_folder_and_a_wrong_ending_are_no_output_files(tmp_path):
    with pytest.raises(UsageError, match="is a folder"):
        check_writable(tmp_path)
    with pytest.raises(UsageError, match=r"ending in \.npy"):
        check_writable(tmp_path / "out.txt", suffixes=(".npy",))


def test_checking_leaves_nothing_behind(tmp_path):
    check_writable(tmp_path / "out.json")
    assert list(tmp_path.iterdir()) == []


def test_a_link_stays_a_link_and_what_it_leads_to_is_replaced(tmp_path):
    (tmp_path / "there").mkdir()
    target, link = tmp_path / "there" / "real.json", tmp_path / "link.json"
    target.write_text("old")
    link.symlink_to(target)
    check_writable(link)
    with atomic_write(link) as file:
        file.write(b"new")
    assert link.is_symlink()
    assert target.read_text() == "new"
    assert list(target.parent.iterdir()) == [target]


def test_a_link_to_a_file_that_is_not_there_yet_makes_that_file(tmp_path):
    link = tmp_path / "link.json"
    link.symlink_to("later.json")
    check_writable(link)
    with atomic_write(link) as file:
        file.write(b"new")
    assert link.is_symlink()
    assert (tmp_path / "later.json").read_text() == "new"


def test_a_link_that_leads_nowhere_is_refused_in_words(tmp_path):
    (tmp_path / "lost.json").symlink_to(tmp_path / "nowhere" / "out.json")
    (tmp_path / "round.json").symlink_to("round.json")
    with pytest.raises(UsageError, match=r"no folder .*nowhere"):
        check_writable(tmp_path / "lost.json")
    with pytest.raises(UsageError, match="symbolic links"):
        check_writable(tmp_path / "round.json")


@pytest.mark.parametrize("save", [lambda file: file.write(b"new"), lambda file: np.save(file, [1])])
def test_a_named_pipe_gets_the_bytes_and_stays_a_pipe(save, tmp_path):
    pipe, plain = tmp_path / "pipe", tmp_path / "plain"
    os.mkfifo(pipe)
    check_writable(pipe)
    read = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_bytes()), daemon=True)
    reader.start()
    for path in (pipe, plain):
        with atomic_write(path) as file:
            save(file)
    reader.join(timeout=20)
    assert read == [plain.read_bytes()]
    assert pipe.is_fifo()


def test_a_device_gets_the_bytes_and_stays_a_device(tmp_path):
    (tmp_path / "null").symlink_to("/dev/null")
    for path in ("/dev/null", tmp_path / "null"):
        check_writable(path)
        with atomic_write(path) as file:
            file.write(b"new")
    with open("/dev/null", "rb") as null:  # noqa: PTH123
        assert null.read() == b""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_device_is_said_in_words():
    with pytest.raises(UsageError, match="no space left"), atomic_write("/dev/full") as file:
        file.write(b"new")


@pytest.mark.parametrize("to_file", [False, True], ids=["to a pipe", "to a file"])
def test_dev_stdout_is_this_process_s_stdout_and_what_follows_comes_after(to_file, tmp_path):
    code = (
        "from genmem.io.atomic import check_writable, atomic_write\n"
        "check_writable('/dev/stdout')\n"
        "with atomic_write('/dev/stdout') as file:\n"
        "    file.write(b'document ')\n"
        "print('table')"
    )
    with (tmp_path / "out").open("wb") as out:
        done = subprocess.run(
            [sys.executable, "-c", code],
            stdout=out if to_file else subprocess.PIPE,
            check=True,
            timeout=60,
        )
    shown = (tmp_path / "out").read_bytes() if to_file else done.stdout
    assert shown == b"document table\n"
    assert os.path.lexists("/dev/stdout")


def test_an_error_in_the_middle_sends_nothing_down_a_pipe(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reading = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)

    def write_half():
        with atomic_write(pipe) as file:
            file.write(b"half of the ne")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        write_half()
    assert os.read(reading, 100) == b""
    os.close(reading)


KILLED = """
import os, signal, sys
from genmem.io.atomic import atomic_write
with atomic_write(sys.argv[1]) as file:
    file.write(bytes(1000))
    file.flush()
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_a_killed_writer_left_is_removed_by_the_next_one(tmp_path):
    target = tmp_path / "checkpoint.safetensors"
    subprocess.run([sys.executable, "-c", KILLED, str(target)], check=False)
    [leftover] = tmp_path.iterdir()
    with atomic_write(target) as file:
        file.write(b"1")
    assert leftover.exists()  # too young to tell from a file that has just been made
    os.utime(leftover, (0, 0))
    with atomic_write(target) as file:
        file.write(b"2")
    assert list(tmp_path.iterdir()) == [target]


def test_the_file_of_a_living_writer_stays(tmp_path):
    target = tmp_path / "checkpoint.safetensors"
    with atomic_write(target) as first:
        first.write(b"first")
        first.flush()
        [temporary] = tmp_path.iterdir()
        os.utime(temporary, (0, 0))
        with atomic_write(target) as second:
            second.write(b"second")
        assert target.read_bytes() == b"second"
    assert target.read_bytes() == b"first"
    assert list(tmp_path.iterdir()) == [target]
