"""The real server, killed in the middle of an upload: what it had it still has, and it goes on."""

import hashlib
import http.client
import os
import random
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from urllib.parse import urlsplit

import pytest

from ...images import a_zip
from ...live_server import COMMAND, free_port

SETUP = """
import sys
from genmem.arena import load
load(sys.argv[1])
from genmem.arena.competitions.models import Competition
from genmem.arena.accounts.models import User
from genmem.arena.teams.models import Membership, Team
from genmem.arena.accounts.tokens import create_token
user, new = User.objects.get_or_create(email=f"{sys.argv[2]}@example.org")
if new:
    team = Team.objects.create(competition=Competition.objects.get(), name=sys.argv[2])
    Membership.objects.create(team=team, user=user, captain=True)
print(create_token(user, "test")[1])
"""


@pytest.fixture(scope="module")
def token(arena_folder):
    done = subprocess.run(
        [sys.executable, "-c", SETUP, str(arena_folder), "resumer"],
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


@contextmanager
def killable(folder, port):
    """A server of its own session: `kill()` ends every process of it at once."""
    process = subprocess.Popen(
        [*COMMAND, "serve", str(folder), "--port", str(port), "--no-worker"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )

    def kill():
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        assert _waited(lambda: not _answers(port))

    try:
        assert _waited(lambda: _answers(port))
        yield kill
    finally:
        if process.poll() is None:
            kill()


class Sender:
    """Speaks tus over sockets of its own, so that it can stop in the middle."""

    def __init__(self, port, token):
        self.port = port
        self.headers = {"Tus-Resumable": "1.0.0", "Authorization": f"Bearer {token}"}

    def ask(self, method, where, headers=None, body=None):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request(method, where, body, self.headers | (headers or {}))
        answer = connection.getresponse()
        answer.read()
        connection.close()
        return answer

    def begin(self, content):
        import base64

        told = base64.b64encode(hashlib.sha256(content).hexdigest().encode()).decode()
        headers = {"Upload-Length": str(len(content)), "Upload-Metadata": f"sha256 {told}"}
        answer = self.ask("POST", "/c/dogs/uploads/", headers)
        assert answer.status == 201
        return urlsplit(answer.headers["Location"]).path

    def offset(self, where):
        return int(self.ask("HEAD", where).headers["Upload-Offset"])

    def rest(self, where, content):
        at = self.offset(where)
        headers = {"Upload-Offset": str(at), "Content-Type": "application/offset+octet-stream"}
        return self.ask("PATCH", where, headers, content[at:])

    def half(self, where, content, at, sent):
        """Announce everything from `at` on, send a part, and leave the connection open."""
        line = f"PATCH {where} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\n"
        told = self.headers | {
            "Upload-Offset": str(at),
            "Content-Type": "application/offset+octet-stream",
            "Content-Length": str(len(content) - at),
        }
        head = line + "".join(f"{name}: {text}\r\n" for name, text in told.items()) + "\r\n"
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=60)
        connection.sendall(head.encode() + content[at : at + sent])
        return connection


def big_zip(path):
    """A good zip with 4 MB of noise beside its images; its bytes."""
    noise = random.Random(0).randbytes(4_000_000)
    return a_zip(path, **{"notes.txt": noise}).read_bytes()


def reaches(path, size):
    return _waited(lambda: path.stat().st_size >= size)


def _answers(port):
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _waited(condition):
    for _ in range(600):
        if condition():
            return True
        time.sleep(0.05)
    return False


def test_killed_in_mid_piece_it_resumes_where_the_disk_ends(arena_folder, token, tmp_path):
    content, port = big_zip(tmp_path / "a.zip"), free_port()
    sender = Sender(port, token)
    with killable(arena_folder, port) as kill:
        where = sender.begin(content)
        connection = sender.half(where, content, 0, 1_500_000)
        path = arena_folder / "storage/incoming/uploads" / where.rstrip("/").rpartition("/")[2]
        assert reaches(path, 1_000_000)
        kill()
        connection.close()
    with killable(arena_folder, port) as kill:
        at = sender.offset(where)
        assert 1_000_000 <= at <= 1_500_000
        connection = sender.half(where, content, at, 2_000_000)
        assert reaches(path, at + 1_500_000)
        kill()
        connection.close()
    with killable(arena_folder, port):
        answer = sender.rest(where, content)
        assert answer.status == 204
        submission = answer.headers["Submission-Location"]
        number = submission.rstrip("/").rpartition("/")[2]
        assert (arena_folder / "storage" / "submissions" / f"{number}.zip").read_bytes() == content
        assert sender.ask("HEAD", where).headers["Submission-Location"] == submission


def test_a_connection_that_breaks_keeps_what_came_and_hinders_nobody(arena_folder, token, tmp_path):
    content, port = big_zip(tmp_path / "a.zip"), free_port()
    sender = Sender(port, token)
    with killable(arena_folder, port):
        where = sender.begin(content)
        path = arena_folder / "storage/incoming/uploads" / where.rstrip("/").rpartition("/")[2]
        silent = sender.half(where, content, 0, 1_000_000)
        assert reaches(path, 500_000)
        at = sender.offset(where)
        broken = sender.half(where, content, at, 500_000)
        broken.close()
        answer = sender.rest(where, content)
        if answer.status == 409:
            answer = sender.rest(where, content)
        assert answer.status == 204
        assert "Submission-Location" in answer.headers
        silent.close()
