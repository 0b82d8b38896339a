"""What is lost when everything is killed: submissions under way, and SIGKILL at random.

    python -m studies.reliability [--submissions N] [--kills N] [--seed N] [--on sqlite,postgresql]

Submissions are sent through the web form before anybody scores them. Then the arena is served as
people do it (`genmem arena serve`, and on PostgreSQL a second worker with a folder of its own, as
on another machine), more are sent, one every two seconds, and meanwhile something is killed: a
worker, the web process, or the database's connections. What an init system would start again is
started again; nothing else is helped. At the end every accepted upload is to have exactly one score
on each split.
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
LOCKED = 3.0
"""Seconds for which SQLite's write lock is held."""

PATIENCE = 1_800.0
"""Seconds that the arena has to finish when the killing is over."""

SEND_EVERY = 2.0
"""Seconds between two uploads while things are killed."""

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
    """What came of one run.

    Attributes:
        accepted: uploads that the server said it had received.
        scored_once: of these, with exactly one score on each split.
        lost: of these, without a submission, or never scored.
        doubled: submissions with more than one score on a split.
        unanswered: submissions whose sender was not told (the web process died in between).
        seconds: from the first worker to the last score.
        kills: how often each kind of thing was killed.
    """

    database: str
    accepted: int = 0
    scored_once: int = 0
    lost: int = 0
    doubled: int = 0
    unanswered: int = 0
    seconds: float = 0.0
    kills: Counter[str] = field(default_factory=Counter)


class Site:
    """An arena being served: its processes, and how each is killed."""

    def __init__(self, arena: arenas.Arena, other: arenas.Arena | None, folder: Path) -> None:
        self.arena, self._other, self._folder = arena, other, folder
        self.port = arenas.free_port()
        self._log = folder / "log"
        self._serve = self._started("serve", arena, "--port", self.port, "--no-worker")
        self._second: subprocess.Popen[bytes] | None = None

    def score(self) -> None:
        """From here on there are workers."""
        arenas.kill(self._serve)
        self._serve = self._started("serve", self.arena, "--port", self.port)
        if self._other:
            self._second = self._started("worker", self._other)

    def _started(self, *words: object) -> subprocess.Popen[bytes]:
        given = [one.folder if isinstance(one, arenas.Arena) else one for one in words]
        with self._log.open("ab") as log:
            return subprocess.Popen([*arenas.GENMEM, *map(str, given)], stdout=log, stderr=log)

    def workers(self) -> list[int]:
        """The workers' process ids."""
        said = re.findall(r"takes work \(process (\d+)\)", self._log.read_text(errors="replace"))
        return [int(pid) for pid in said if arenas.is_there(int(pid))]

    def begun(self) -> int:
        """How many workers have begun to take work so far."""
        return self._log.read_text(errors="replace").count("takes work")

    def kill_worker(self, chance: random.Random) -> None:
        """SIGKILL one worker; its keeper starts another."""
        if found := self.workers():
            arenas.end(chance.choice(found), signal.SIGKILL)

    def kill_web(self, chance: random.Random) -> None:
        """SIGKILL `genmem arena serve`, and start it again as an init system does."""
        below = list(arenas.children(self._serve.pid))
        arenas.kill(self._serve)
        while any(arenas.is_there(pid) for pid in below):
            time.sleep(0.1)
        self._serve = self._started("serve", self.arena, "--port", self.port)

    def kill_connections(self, chance: random.Random) -> None:
        """End all connections of PostgreSQL; keep SQLite's files locked for a while."""
        if self.arena.database:
            self.arena.query(
                "select pg_terminate_backend(pid) from pg_stat_activity "
                "where datname = 'arena' and pid <> pg_backend_pid()"
            )
            return
        name = chance.choice(["arena.sqlite3", "scoring.sqlite3"])
        connection = sqlite3.connect(self.arena.folder / name, timeout=30, isolation_level=None)
        with suppress(sqlite3.OperationalError):
            connection.execute("BEGIN IMMEDIATE")
            time.sleep(LOCKED)
        connection.close()

    def close(self) -> None:
        """End everything in order."""
        for process in (self._serve, self._second):
            if process is not None:
                process.send_signal(signal.SIGTERM)
        for process in (self._serve, self._second):
            if process is not None:
                process.wait(timeout=60)


class Sender(threading.Thread):
    """Sends files through the web form, each until the server says that it has it."""

    def __init__(self, site: Site, session: str, folder: Path) -> None:
        super().__init__(daemon=True)
        self._address = f"http://127.0.0.1:{site.port}"
        self._folder, self._number = folder, 0
        self.enough = threading.Event()
        self.accepted: list[str] = []
        jar = http.cookiejar.CookieJar()
        self._jar = jar
        self._browser = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(jar))
        self._browser.addheaders = [("Cookie", f"sessionid={session}")]
        self._session = session

    def run(self) -> None:
        """Send one after another until it is enough."""
        while not self.enough.wait(SEND_EVERY):
            self.send()

    def send(self) -> None:
        """Send one file, again and again until it is accepted."""
        path = arenas.zipped(self._folder / f"{self._number}.zip", 10 * self._number)
        self._number += 1
        while not self._sent(path):
            time.sleep(0.5)

    def _sent(self, path: Path) -> bool:
        where = f"{self._address}/c/dogs/submissions/new/"
        try:
            page = self._open(urllib.request.Request(where)).read().decode()
            token = re.search(r'name="csrfmiddlewaretoken" value="(\w+)"', page)
            if token is None:
                return False
            body, kind = _form(token[1], path)
            request = urllib.request.Request(where, body, {"Content-Type": kind, "Referer": where})
            answer = self._open(request)
        except (urllib.error.URLError, ConnectionError, TimeoutError, OSError):
            return False
        found = re.search(r"/submissions/([0-9a-f-]{36})/$", answer.geturl())
        if found:
            self.accepted.append(found[1])
        return found is not None

    def _open(self, request: urllib.request.Request):
        cookies = [f"sessionid={self._session}"]
        cookies += [f"{one.name}={one.value}" for one in self._jar if one.name == "csrftoken"]
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
    chance = random.Random(seed)
    outcome = Outcome(database=database)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="genmem-study-")))
        address = stack.enter_context(cluster()) if database == "postgresql" else ""
        arena = arenas.make(folder / "A", database=address)
        other = _second_folder(arena, folder / "B") if address else None
        words = [sys.executable, "-c", _SESSION, str(arena.folder)]
        session = subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()
        site = Site(arena, other, folder)
        sender = Sender(site, session, folder)
        try:
            for _ in range(submissions):
                sender.send()
            site.score()
            started = time.monotonic()
            sender.start()
            for number in range(kills):
                _wait_for_work(arena)
                time.sleep(chance.uniform(0, 2.5))
                sure = number < 2 * len(KILLS)  # each kind twice for certain, then at random
                kind = KILLS[number % len(KILLS)] if sure else chance.choice(KILLS)
                tell(f"{database}: {number + 1}. {kind}; {arena_states(arena)}")
                begun = site.begun()
                {
                    "worker": site.kill_worker,
                    "web": site.kill_web,
                    "database": site.kill_connections,
                }[kind](chance)
                outcome.kills[kind] += 1
                if kind != "database":
                    _wait(lambda begun=begun: site.begun() > begun, 300)
            sender.enough.set()
            sender.join(PATIENCE)
            _wait(lambda: not _under_way(arena), PATIENCE)
            outcome.seconds = time.monotonic() - started
        finally:
            site.close()
        _judge(arena, sender, outcome)
        if outcome.lost or outcome.doubled or outcome.scored_once < outcome.accepted:
            shutil.copy(folder / "log", Path(tempfile.gettempdir()) / f"reliability-{database}.log")
    return outcome


def _second_folder(arena: arenas.Arena, folder: Path) -> arenas.Arena:
    """What another machine has: the same database and storage, a folder of its own."""
    folder.mkdir()
    shutil.copy(arena.folder / "secret.key", folder / "secret.key")
    (folder / "arena.toml").write_text(
        f'database = "{arena.database}"\nstorage = "{arena.folder / "storage"}"\n'
    )
    return arenas.Arena(folder, arena.database)


def _wait_for_work(arena: arenas.Arena) -> None:
    """Wait until something is under way."""
    _wait(lambda: bool(_under_way(arena)), 300)


def _under_way(arena: arenas.Arena) -> int:
    states = arena_states(arena)
    return states.get("received", 0) + states.get("scoring", 0)


def _wait(condition, seconds: float) -> None:
    until = time.monotonic() + seconds
    while not condition() and time.monotonic() < until:
        time.sleep(0.1)


def arena_states(arena: arenas.Arena) -> dict[str, int]:
    """`Arena.states`, asked again while the database is being killed."""
    while True:
        try:
            return arena.states()
        except Exception as error:
            tell(f"(not readable just now: {type(error).__name__})")
            time.sleep(0.5)


def _judge(arena: arenas.Arena, sender: Sender, outcome: Outcome) -> None:
    rows = {str(uuid.UUID(row[0])): row[1:] for row in arena.query(_COUNTS)}
    outcome.accepted = len(sender.accepted)
    for one in sender.accepted:
        state, scores, splits = rows.get(one, ("missing", 0, 0))
        outcome.scored_once += (state, scores, splits) == ("scored", 2, 2)
        outcome.lost += state not in ("scored", "refused", "failed")
    outcome.doubled = sum(scores > splits for _, scores, splits in rows.values())
    outcome.unanswered = len(set(rows) - set(sender.accepted))
    tell(f"{outcome.database}: {Counter(row[0] for row in rows.values())}")


def table(outcomes: list[Outcome]) -> str:
    """The outcomes in Markdown."""
    lines = [
        "| database | killed: worker, web, database | accepted | scored exactly once | lost | "
        "doubled | answer lost | seconds |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for one in outcomes:
        killed = ", ".join(str(one.kills[kind]) for kind in KILLS)
        lines.append(
            f"| {one.database} | {killed} | {one.accepted} | {one.scored_once} | {one.lost} | "
            f"{one.doubled} | {one.unanswered} | {one.seconds:.0f} |"
        )
    return "\n".join(lines)


def tell(text: str) -> None:
    """One line of progress."""
    print(text, file=sys.stderr, flush=True)


def main() -> None:
    """Read the arguments, run, print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0] if __doc__ else "")
    parser.add_argument("--submissions", type=int, default=40)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--on", default="sqlite,postgresql")
    given = parser.parse_args()
    outcomes = [
        run(name, submissions=given.submissions, kills=given.kills, seed=given.seed)
        for name in given.on.split(",")
    ]
    print(table(outcomes))


if __name__ == "__main__":
    main()
