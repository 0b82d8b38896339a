"""`genmem submit` as a person types it, against the real server, over good and bad connections."""

import json
import os
import random
import socket
import subprocess
import sys
import threading
from contextlib import contextmanager, suppress
from urllib.parse import urlsplit

import pytest

from .images import COUNT, a_zip
from .live_server import free_port
from .submissions.tus.test_killed import SETUP

pytest.importorskip("tusclient")


JUDGE = """
import sys, time
from genmem.arena import load
load(sys.argv[1])
from genmem.arena.leaderboards.scores import Scores, add_score
from genmem.arena.competitions.models import Split
from genmem.arena.submissions.models import Submission
while not (found := Submission.objects.filter(original_name=sys.argv[2]).first()):
    time.sleep(0.1)
if sys.argv[3] == "scored":
    split = Split.objects.get(kind="public")
    add_score(found, split, Scores(fd=21.5, distance=0.5, score=21.5))
found.state, found.message = sys.argv[3], "wrong.png is no image" * (sys.argv[3] == "refused")
found.save()
"""


@pytest.fixture(scope="module")
def token(arena_folder):
    done = subprocess.run(
        [sys.executable, "-c", SETUP, str(arena_folder), "submitter"],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def submit(file, to, *arguments, token=""):
    environment = {name: value for name, value in os.environ.items() if name != "GENMEM_TOKEN"}
    return subprocess.run(
        [
            *(sys.executable, "-c", "from genmem.cli.app import main; main()", "submit"),
            *map(str, (file, "--to", to, *arguments)),
        ],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env=environment | ({"GENMEM_TOKEN": token} if token else {}),
    )


def kept(arena_folder, submission):
    return (arena_folder / "storage" / "submissions" / f"{submission['id']}.zip").read_bytes()


def refusal(done):
    """The one line that says why, which comes last."""
    assert done.returncode == 2
    last = done.stderr.splitlines()[-1]
    assert last.startswith("genmem: ")
    assert "Traceback" not in done.stderr
    return last


@contextmanager
def cutting(address, cuts):
    """A way to the server that breaks after so many bytes, once for each of `cuts`; its address."""
    port, server = free_port(), urlsplit(address)
    listening = socket.create_server(("127.0.0.1", port))
    remaining, opened = list(cuts), [listening]

    def carry(source, target, limit):
        try:
            while piece := source.recv(65_536):
                if limit is not None and len(piece) >= limit[0]:
                    target.sendall(piece[: limit[0]])
                    remaining.pop(0)
                    break
                if limit is not None:
                    limit[0] -= len(piece)
                target.sendall(piece)
        except OSError:
            pass
        finally:
            for one in (source, target):
                with suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)

    def accept():
        while True:
            try:
                near, _ = listening.accept()
            except OSError:
                return
            far = socket.create_connection((server.hostname, server.port))
            opened.extend((near, far))
            pair = ((near, far, [remaining[0]] if remaining else None), (far, near, None))
            threads = [threading.Thread(target=carry, args=one, daemon=True) for one in pair]
            for one in threads:
                one.start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{port}", remaining
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        for one in opened:
            one.close()


def test_limits_are_told_first_and_the_submission_last(arena_folder, arena_url, token, tmp_path):
    file = a_zip(tmp_path / "dogs.zip")
    done = submit(file, f"{arena_url}/c/dogs", "--json", tmp_path / "s.json", token=token)
    assert (done.returncode, done.stdout) != (2, "")
    assert done.stderr.startswith(
        "Dogs, for the team submitter: a zip of at most 500 MB; 100 of 100"
    )
    submission = json.loads((tmp_path / "s.json").read_text())
    assert f"Received: {arena_url}/c/dogs/submissions/{submission['id']}/" in done.stdout
    assert kept(arena_folder, submission) == file.read_bytes()


def test_a_connection_that_breaks_again_and_again_is_taken_up_by_itself(
    arena_folder, arena_url, token, tmp_path
):
    noise = random.Random(1).randbytes(9_000_000)
    file = a_zip(tmp_path / "dogs.zip", COUNT, **{"notes.txt": noise})
    with cutting(arena_url, [3_000_000, 100_000, 4_000_000]) as (address, remaining):
        done = submit(file, f"{address}/c/dogs/", "--json", "-", token=token)
        assert remaining == []
    assert done.returncode == 0, done.stderr
    assert kept(arena_folder, json.loads(done.stdout)) == file.read_bytes()


def test_run_again_after_an_interruption_it_goes_on_where_it_stopped(
    arena_folder, arena_url, token, tmp_path
):
    noise = random.Random(2).randbytes(9_000_000)
    file = a_zip(tmp_path / "dogs.zip", COUNT, **{"notes.txt": noise})
    with cutting(arena_url, [5_000_000, *[1000] * 99]) as (address, remaining):
        command = [sys.executable, "-c", "from genmem.cli.app import main; main()", "submit"]
        process = subprocess.Popen(
            [*command, str(file), "--to", f"{address}/c/dogs"],
            env=os.environ | {"GENMEM_TOKEN": token},
            stderr=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
        )
        while len(remaining) > 99 and process.poll() is None:
            threading.Event().wait(0.05)
        process.kill()
        process.wait()
    with cutting(arena_url, []) as (address, _):
        done = submit(file, f"{address}/c/dogs", "--json", "-", token=token)
    assert done.returncode == 0, done.stderr
    assert kept(arena_folder, json.loads(done.stdout)) == file.read_bytes()


@pytest.mark.parametrize(
    ("state", "code", "words"),
    [
        ("scored", 0, "public score  21.500"),
        ("refused", 2, "wrong.png is no image"),
    ],
)
def test_waiting_ends_with_the_scores_or_the_reason(
    arena_folder, arena_url, token, tmp_path, state, code, words
):
    file = a_zip(tmp_path / f"{state}.zip")
    judge = subprocess.Popen([sys.executable, "-c", JUDGE, str(arena_folder), file.name, state])
    try:
        done = submit(file, f"{arena_url}/c/dogs", "--wait", token=token)
    finally:
        judge.terminate()
        judge.wait()
    assert done.returncode == code, done.stderr
    assert done.stdout.startswith(f"{state.capitalize()}: {arena_url}/c/dogs/submissions/")
    assert words in done.stdout


@pytest.mark.parametrize(
    ("to", "words"),
    [
        ("{arena_url}/c/", "expected a competition after"),
        ("{arena_url}", "expected https://HOST/c/COMPETITION"),
        ("ftp://x/c/dogs", "expected https://HOST/c/COMPETITION"),
        ("{arena_url}/c/cats", "There is nothing here"),
        ("http://127.0.0.1:9/c/dogs", "does not respond: connection refused"),
    ],
)
def test_a_wrong_address_is_one_line(arena_url, token, tmp_path, to, words):
    file = a_zip(tmp_path / "dogs.zip")
    assert words in refusal(submit(file, to.format(arena_url=arena_url), token=token))


def test_what_is_no_zip_is_told_before_anything_is_sent(arena_url, token, tmp_path):
    (tmp_path / "a.zip").write_text("hello")
    to = f"{arena_url}/c/dogs"
    assert "expected a zip, found another file type" in refusal(submit(tmp_path / "a.zip", to))
    assert "expected a zip, found nothing" in refusal(submit(tmp_path / "b.zip", to))
    assert "expected a zip, found a folder" in refusal(submit(tmp_path, to))


def test_without_a_token_or_with_a_wrong_one_it_is_told_where_to_make_one(arena_url, tmp_path):
    file, to = a_zip(tmp_path / "dogs.zip"), f"{arena_url}/c/dogs"
    assert f"create one on {arena_url}/account/#tokens" in refusal(submit(file, to))
    assert "was revoked" in refusal(submit(file, to, token="genmem_wrong"))


def test_a_kind_that_is_not_taken_is_the_servers_own_words(arena_url, token, tmp_path):
    file = a_zip(tmp_path / "dogs.zip")
    done = submit(file, f"{arena_url}/c/dogs", "--kind", "code", token=token)
    assert "This competition accepts images, not code." in refusal(done)


def test_the_help_loads_nothing_heavy():
    code = (
        "import sys; from genmem.cli.app import run; run(['submit', '--help']);"
        "print(sorted({'django', 'requests', 'tusclient'} & set(sys.modules)), file=sys.stderr)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stderr == "[]\n"
    assert "--to" in done.stdout


def test_without_tuspy_it_is_told_what_to_install(tmp_path):
    code = (
        "import sys; sys.modules['tusclient'] = None;"
        "import importlib.util as u; find = u.find_spec;"
        "u.find_spec = lambda name, *a: None if name == 'tusclient' else find(name, *a);"
        "from genmem.cli.app import run;"
        f"sys.exit(run(['submit', {str(a_zip(tmp_path / 'a.zip'))!r}, '--to', 'http://x/c/y']))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert "pip install 'genmem[submit]'" in refusal(done)
