"""Is anything lost when processes and database connections are killed while submissions are scored?

    python -m studies.reliability [--submissions N] [--kills N] [--seed N] [--on sqlite,postgresql]

Submissions are sent through the web form before there is a worker. Then the arena is served with
`genmem arena serve` (on PostgreSQL with a second worker that has a folder of its own, as on another
machine), one more submission is sent every two seconds, and a worker, the web process or the
database's connections are killed at random. Only processes that an init system would restart are
restarted. In the end every accepted upload must have exactly one score on each split.
"""

from __future__ import annotations

import argparse
import http.cookiejar
import random
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
from collections import Counter
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path

from studies import arenas
from studies.clusters import cluster

KILLS = ("worker", "web", "database")
LOCK_SECONDS = 3.0
"""Seconds for which SQLite's write lock is held."""

TIMEOUT = 1_800.0
"""Seconds that the arena has to finish after the last kill."""

SEND_EVERY = 2.0
"""Seconds between two uploads while processes are killed."""

_SESSION = """
import sys
from genmem.arena import load
load(sys.argv[1])
from django.conf import settings
from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.backends.db import SessionStore
from genmem.arena.competitions.models import Competition
from genmem.arena.teams.models import Membership, Team, User
user = User.objects.create_user("sender@example.org", "sesame-9", display_name="Sender")
team = Team.objects.create(competition=Competition.objects.get(), name="Senders")
Membership.objects.create(team=team, user=user, captain=True)
session = SessionStore()
session[SESSION_KEY] = str(user.pk)
session[BACKEND_SESSION_KEY] = settings.AUTHENTICATION_BACKENDS[0]
session[HASH_SESSION_KEY] = user.get_session_auth_hash()
session.create()
print(session.session_key)
"""

_COUNTS = """
select cast(s.id as varchar), s.state, count(v.id), count(distinct d.kind)
from submissions_submission s
left join leaderboards_scoreversion v on v.submission_id = s.id
left join competitions_split d on d.id = v.split_id
group by s.id, s.state
"""


@dataclass(kw_only=True)
class Outcome:
    """The result of one run.

    Attributes:
        accepted: uploads that the server acknowledged.
        scored_once: of these, with exactly one score on each split.
        lost: of these, without a submission, or never scored.
        doubled: submissions with more than one score on a split.
        unacknowledged: submissions whose upload was not acknowledged, because the web process died.
        seconds: from the first worker to the last score.
        kills: number of kills of each kind.
    """

    database: str
    accepted: int = 0
    scored_once: int = 0
    lost: int = 0
    doubled: int = 0
    unacknowledged: int = 0
    seconds: float = 0.0
    kills: Counter[str] = field(default_factory=Counter)


class ServedArena:
    """The processes of a served arena, and how each is killed."""

    def __init__(self, arena: arenas.Arena, second: arenas.Arena | None, folder: Path) -> None:
        self.arena, self._second_arena, self._folder = arena, second, folder
        self.port = arenas.free_port()
        self._log = folder / "log"
        self._serve = self._start("serve", arena, "--port", self.port, "--no-worker")
        self._second: subprocess.Popen[bytes] | None = None

    def start_workers(self) -> None:
        """Serve with a worker from now on, and start the second worker."""
        arenas.kill(self._serve)
        self._serve = self._start("serve", self.arena, "--port", self.port)
        if self._second_arena:
            self._second = self._start("worker", self._second_arena)

    def _start(self, *arguments: object) -> subprocess.Popen[bytes]:
        words = [word.folder if isinstance(word, arenas.Arena) else word for word in arguments]
        with self._log.open("ab") as log:
            return subprocess.Popen([*arenas.GENMEM, *map(str, words)], stdout=log, stderr=log)

    def workers(self) -> list[int]:
        """The workers' process ids."""
        text = self._log.read_text(errors="replace")
        pids = map(int, re.findall(r"started \(process (\d+)\)", text))
        return [pid for pid in pids if arenas.is_running(pid)]

    def workers_started(self) -> int:
        """The number of workers started so far."""
        return self._log.read_text(errors="replace").count("started (process")

    def kill_worker(self, rng: random.Random) -> None:
        """SIGKILL one worker; its supervisor starts another."""
        if workers := self.workers():
            arenas.send_signal(rng.choice(workers), signal.SIGKILL)

    def kill_web(self, rng: random.Random) -> None:
        """SIGKILL `genmem arena serve`, and restart it as an init system does."""
        children = list(arenas.children(self._serve.pid))
        arenas.kill(self._serve)
        while any(arenas.is_running(pid) for pid in children):
            time.sleep(0.1)
        self._serve = self._start("serve", self.arena, "--port", self.port)

    def kill_connections(self, rng: random.Random) -> None:
        """End all connections of PostgreSQL, or hold SQLite's write lock for a while."""
        if self.arena.database:
            self.arena.query(
                "select pg_terminate_backend(pid) from pg_stat_activity "
                "where datname = 'arena' and pid <> pg_backend_pid()"
            )
            return
        path = self.arena.folder / "arena.sqlite3"
        connection = sqlite3.connect(path, timeout=30, isolation_level=None)
        with suppress(sqlite3.OperationalError):
            connection.execute("BEGIN IMMEDIATE")
            time.sleep(LOCK_SECONDS)
        connection.close()

    def close(self) -> None:
        """Stop all processes in order."""
        for process in (self._serve, self._second):
            if process is not None:
                process.send_signal(signal.SIGTERM)
        for process in (self._serve, self._second):
            if process is not None:
                process.wait(timeout=60)


class Sender(threading.Thread):
    """Sends files through the web form, each until the server acknowledges it."""

    def __init__(self, arena: ServedArena, session: str, folder: Path) -> None:
        super().__init__(daemon=True)
        self._address = f"http://127.0.0.1:{arena.port}"
        self._folder, self._number = folder, 0
        self.is_done = threading.Event()
        self.accepted: list[str] = []
        jar = http.cookiejar.CookieJar()
        self._jar = jar
        self._browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))
        self._browser.addheaders = [("Cookie", f"sessionid={session}")]
        self._session = session

    def run(self) -> None:
        """Send files until `is_done` is set."""
        while not self.is_done.wait(SEND_EVERY):
            self.send()

    def send(self) -> None:
        """Send one file, repeatedly until it is accepted."""
        path = arenas.zip_images(self._folder / f"{self._number}.zip", 10 * self._number)
        self._number += 1
        while not self._is_accepted(path):
            time.sleep(0.5)

    def _is_accepted(self, path: Path) -> bool:
        url = f"{self._address}/c/dogs/submissions/new/"
        try:
            page = self._open(urllib.request.Request(url)).read().decode()
            token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page)
            if token is None:
                return False
            body, kind = _form(token[1], path)
            request = urllib.request.Request(url, body, {"Content-Type": kind, "Referer": url})
            response = self._open(request)
        except (urllib.error.URLError, ConnectionError, TimeoutError, OSError):
            return False
        match = re.search(r"/submissions/([0-9a-f-]{36})/$", response.geturl())
        if match:
            self.accepted.append(match[1])
        return match is not None

    def _open(self, request: urllib.request.Request):
        cookies = [f"sessionid={self._session}"]
        cookies += [
            f"{cookie.name}={cookie.value}" for cookie in self._jar if cookie.name == "csrftoken"
        ]
        request.add_header("Cookie", "; ".join(cookies))
        self._browser.addheaders = []
        return self._browser.open(request, timeout=60)


def _form(token: str, path: Path) -> tuple[bytes, str]:
    boundary = uuid.uuid4().hex
    parts = [
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in (("csrfmiddlewaretoken", token), ("kind", "images"), ("sha256", ""))
    ]
    head = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{path.name}"\r\n'
        "Content-Type: application/zip\r\n\r\n"
    )
    body = "".join(parts).encode() + head.encode() + path.read_bytes()
    return body + f"\r\n--{boundary}--\r\n".encode(), f"multipart/form-data; boundary={boundary}"


def run(database: str, *, submissions: int, kills: int, seed: int) -> Outcome:
    """One run on SQLite or on PostgreSQL."""
    rng = random.Random(seed)
    outcome = Outcome(database=database)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="genmem-study-")))
        address = stack.enter_context(cluster()) if database == "postgresql" else ""
        arena = arenas.build_arena(folder / "A", database=address)
        second = _second_folder(arena, folder / "B") if address else None
        words = [sys.executable, "-c", _SESSION, str(arena.folder)]
        session = subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()
        served = ServedArena(arena, second, folder)
        sender = Sender(served, session, folder)
        try:
            for _ in range(submissions):
                sender.send()
            served.start_workers()
            started = time.monotonic()
            sender.start()
            for number in range(kills):
                _wait_for_work(arena)
                time.sleep(rng.uniform(0, 2.5))
                is_fixed = number < 2 * len(KILLS)  # each kind twice, then at random
                kind = KILLS[number % len(KILLS)] if is_fixed else rng.choice(KILLS)
                log(f"{database}: {number + 1}. {kind}; {arena_states(arena)}")
                started_before = served.workers_started()
                {
                    "worker": served.kill_worker,
                    "web": served.kill_web,
                    "database": served.kill_connections,
                }[kind](rng)
                outcome.kills[kind] += 1
                if kind != "database":
                    _wait(lambda before=started_before: served.workers_started() > before, 300)
            sender.is_done.set()
            sender.join(TIMEOUT)
            _wait(lambda: not _under_way(arena), TIMEOUT)
            outcome.seconds = time.monotonic() - started
        finally:
            served.close()
        _count_scores(arena, sender, outcome)
        if outcome.lost or outcome.doubled or outcome.scored_once < outcome.accepted:
            shutil.copy(folder / "log", Path(tempfile.gettempdir()) / f"reliability-{database}.log")
    return outcome


def _second_folder(arena: arenas.Arena, folder: Path) -> arenas.Arena:
    """The folder of another machine, with the same database and storage."""
    folder.mkdir()
    shutil.copy(arena.folder / "secret.key", folder / "secret.key")
    (folder / "arena.toml").write_text(
        f'database = "{arena.database}"\nstorage = "{arena.folder / "storage"}"\n'
    )
    return arenas.Arena(folder, arena.database)


def _wait_for_work(arena: arenas.Arena) -> None:
    """Wait until a submission is being scored."""
    _wait(lambda: bool(_under_way(arena)), 300)


def _under_way(arena: arenas.Arena) -> int:
    states = arena_states(arena)
    return states.get("received", 0) + states.get("scoring", 0)


def _wait(condition, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.1)


def arena_states(arena: arenas.Arena) -> dict[str, int]:
    """`Arena.states`, retried while the database is unavailable."""
    while True:
        try:
            return arena.states()
        except Exception as error:
            log(f"(database unavailable: {type(error).__name__})")
            time.sleep(0.5)


def _count_scores(arena: arenas.Arena, sender: Sender, outcome: Outcome) -> None:
    rows = {str(uuid.UUID(row[0])): row[1:] for row in arena.query(_COUNTS)}
    outcome.accepted = len(sender.accepted)
    for submission in sender.accepted:
        state, scores, splits = rows.get(submission, ("missing", 0, 0))
        outcome.scored_once += (state, scores, splits) == ("scored", 2, 2)
        outcome.lost += state not in ("scored", "refused", "failed")
    outcome.doubled = sum(scores > splits for _, scores, splits in rows.values())
    outcome.unacknowledged = len(set(rows) - set(sender.accepted))
    log(f"{outcome.database}: {Counter(row[0] for row in rows.values())}")


def table(outcomes: list[Outcome]) -> str:
    """The outcomes as a Markdown table."""
    lines = [
        "| database | killed: worker, web, database | accepted | scored exactly once | lost | "
        "doubled | not acknowledged | seconds |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for outcome in outcomes:
        kills = ", ".join(str(outcome.kills[kind]) for kind in KILLS)
        lines.append(
            f"| {outcome.database} | {kills} | {outcome.accepted} | {outcome.scored_once} | "
            f"{outcome.lost} | {outcome.doubled} | {outcome.unacknowledged} | "
            f"{outcome.seconds:.0f} |"
        )
    return "\n".join(lines)


def log(text: str) -> None:
    """Print one line of progress."""
    print(text, file=sys.stderr, flush=True)


def main() -> None:
    """Run the study and print its table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--submissions", type=int, default=40)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--on", default="sqlite,postgresql")
    arguments = parser.parse_args()
    outcomes = [
        run(name, submissions=arguments.submissions, kills=arguments.kills, seed=arguments.seed)
        for name in arguments.on.split(",")
    ]
    print(table(outcomes))


if __name__ == "__main__":
    main()
