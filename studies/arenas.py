"""Small arenas in processes of their own: building, filling, scoring and querying them."""

from __future__ import annotations

import io
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import time
import zipfile
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

COUNT, SIDE, TRAIN = 4, 8, 12
COMPETITION = """
title: {title}
slug: {slug}
rules: None.
opens_at: 2026-01-01T00:00Z
closes_at: 2099-01-01T00:00Z
image_count: {count}
image_width: {side}
image_height: {side}
daily_limit: 1000
accepts_code: true
wall_seconds: 60
memory_bytes: 256 MiB
public: {{backbone: pixels, train: data/public}}
private: {{backbone: pixels, train: data/private, tau: 0.2}}
"""

_SEND = """
import sys
from pathlib import Path
from genmem.arena import load
folder, slug, kind, *paths = sys.argv[1:]
load(folder)
from genmem.arena.competitions.models import Competition
from genmem.arena.teams.models import Membership, Team, User
from genmem.arena.submissions.services import receive
competition = Competition.objects.get(slug=slug)
name = f"{slug}@example.org"
user = User.objects.filter(email=name).first() or User.objects.create_user(
    name, "sesame-9", display_name=slug)
team, new = Team.objects.get_or_create(competition=competition, name=slug)
if new:
    Membership.objects.create(team=team, user=user, captain=True)
for path in paths:
    print(receive(Path(path), team=team, author=user, kind=kind, original_name=Path(path).name).pk)
"""


@dataclass(frozen=True)
class Arena:
    """An arena's folder and the URL of its database ("" for SQLite)."""

    folder: Path
    database: str = ""

    def query(self, sql: str) -> list[tuple[Any, ...]]:
        """Rows of its database."""
        if self.database:
            import psycopg

            with psycopg.connect(self.database) as connection:
                return connection.execute(sql.encode()).fetchall()
        connection = sqlite3.connect(self.folder / "arena.sqlite3", timeout=30)
        try:
            return connection.execute(sql).fetchall()
        finally:
            connection.close()

    def states(self) -> dict[str, int]:
        """The number of submissions in each state."""
        rows = self.query("select state, count(*) from submissions_submission group by state")
        return {str(state): int(count) for state, count in rows}

    def send(self, paths: Sequence[Path], *, slug: str = "dogs", kind: str = "images") -> list[str]:
        """Submit these files; returns the ids of the submissions."""
        words = [sys.executable, "-c", _SEND, str(self.folder), slug, kind, *map(str, paths)]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(done.stderr)
        return done.stdout.split()

    def wait(self, seconds: float, *, under_way: int = 0) -> bool:
        """Wait until at most `under_way` submissions are being scored.

        Args:
            seconds: to wait at most.
            under_way: number of submissions.

        Returns:
            Whether it came to that in time.
        """
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            states = self.states()
            if states.get("received", 0) + states.get("scoring", 0) <= under_way:
                return True
            time.sleep(0.3)
        return False


def build_arena(folder: Path, *, database: str = "", slugs: Sequence[str] = ("dogs",)) -> Arena:
    """Build an arena with small competitions, scored by pixels on two splits.

    Args:
        folder: of the new arena.
        database: URL of a PostgreSQL database; "" for SQLite.
        slugs: of the competitions.
    """
    command("init", folder)
    if database:
        (folder / "arena.toml").write_text(f'database = "{database}"\n')
    for place, kind in enumerate(("public", "private")):
        images(folder / "data" / kind, TRAIN, first=1000 * (place + 1))
    for slug in slugs:
        text = COMPETITION.format(slug=slug, title=slug.capitalize(), count=COUNT, side=SIDE)
        (folder / f"{slug}.yaml").write_text(text)
        command("create", folder, folder / f"{slug}.yaml")
    return Arena(folder, database)


def command(*words: object) -> str:
    """Run `genmem arena …`; returns its output."""
    done = subprocess.run([*GENMEM, *map(str, words)], capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(done.stderr)
    return done.stdout


WORKER = [sys.executable, "-m", "genmem.arena.scoring"]
GENMEM = [sys.executable, "-c", "from genmem.cli.app import main; main()", "arena"]


def worker(arena: Arena, log: Path) -> subprocess.Popen[bytes]:
    """Start a worker without a supervisor, which ends with this process and appends to `log`."""
    with log.open("ab") as file:
        return subprocess.Popen(
            [*WORKER, str(arena.folder), "--parent", str(os.getpid())],
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
        )


def kill(process: subprocess.Popen[bytes]) -> None:
    """Kill a process and wait for its end."""
    process.send_signal(signal.SIGKILL)
    process.wait()


def children(pid: int) -> dict[int, str]:
    """The descendants of a process, with their command lines."""
    parents: dict[int, int] = {}
    lines: dict[int, str] = {}
    for process in Path("/proc").iterdir():
        if not process.name.isdecimal():
            continue
        try:
            parents[int(process.name)] = int(
                (process / "stat").read_text().rpartition(")")[2].split()[1]
            )
            lines[int(process.name)] = (process / "cmdline").read_text().replace("\0", " ")
        except (OSError, ValueError):
            continue
    descendants: dict[int, str] = {}
    frontier = {pid}
    while frontier:
        frontier = {child for child, above in parents.items() if above in frontier} - set(
            descendants
        )
        descendants |= {child: lines.get(child, "") for child in frontier}
    return descendants


def images(folder: Path, count: int, *, first: int, side: int = SIDE) -> None:
    """Write a folder of random images.

    Args:
        folder: to create.
        count: number of images.
        first: seed of the first image.
        side: width and height in pixels.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for number in range(count):
        (folder / f"{number:03d}.png").write_bytes(png(first + number, side))
    for place in (folder.parent, folder):
        place.chmod(0o755)


def zip_images(path: Path, seed: int) -> Path:
    """Write a zip of random images, ready to be submitted."""
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(COUNT):
            archive.writestr(f"{number}.png", png(seed + number))
    return path


def png(seed: int, side: int = SIDE) -> bytes:
    """A random image as PNG."""
    pixels = np.random.default_rng(seed).integers(0, 256, (side, side, 3), np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format="PNG")
    return buffer.getvalue()


def free_port() -> int:
    """A free port of this machine."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def send_signal(pid: int, number: signal.Signals) -> None:
    """Send a signal to a process, if it exists."""
    with suppress(ProcessLookupError):
        os.kill(pid, number)


def is_running(pid: int) -> bool:
    """Whether a process exists and is no zombie."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return False
    return state not in "ZX"
