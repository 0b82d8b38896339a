"""`genmem arena export` as a person types it."""

import re
import subprocess
import sys

from ..live_server import genmem


def test_it_writes_an_export_and_says_what_is_in_it(arena_folder, tmp_path):
    done = genmem("export", arena_folder, "dogs", tmp_path / "out")
    assert (done.returncode, done.stderr) == (0, "")
    assert re.search(r"^submissions\.parquet +\d+ rows?$", done.stdout, re.MULTILINE)
    assert (
        "The private split is left out, since its leaderboard is hidden (--private adds it)."
        in done.stdout
    )
    assert (tmp_path / "out" / "DATASHEET.md").exists()
    again = genmem("export", arena_folder, "dogs", tmp_path / "out")
    assert again.returncode == 2
    assert again.stderr.count("\n") == 1
    assert "expected a new or an empty folder" in again.stderr


def test_a_competition_that_is_not_there_is_one_line(arena_folder, tmp_path):
    done = genmem("export", arena_folder, "dog", tmp_path / "out")
    assert done.returncode == 2
    assert "did you mean dogs?" in done.stderr
    assert not (tmp_path / "out").exists()


def test_a_list_of_addresses_that_is_none_is_one_line(arena_folder, tmp_path):
    (tmp_path / "agreed.txt").write_text("Ada\n")
    for name in ("agreed.txt", "missing.txt"):
        done = genmem("export", arena_folder, "dogs", tmp_path / "o", "--agreed", tmp_path / name)
        assert done.returncode == 2
        assert done.stderr.count("\n") == 1


def test_it_reads_one_moment_and_holds_up_no_writer(arena_folder):
    """Rows written while it reads are not in it, and are written at once."""
    code = f"""
from genmem.arena import load
load({str(arena_folder)!r})
import threading
from django.db import connections
from genmem.arena.accounts.models import User
from genmem.arena.export.snapshot import snapshot
def write():
    User.objects.create_user("late@example.org", display_name="late")
    connections.close_all()
before = User.objects.count()
with snapshot():
    assert User.objects.count() == before
    writer = threading.Thread(target=write)
    writer.start()
    writer.join(20)
    assert not writer.is_alive(), "held up"
    assert User.objects.count() == before
assert User.objects.count() == before + 1
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
