"""Two hundred people read the leaderboard of an arena while twenty upload their images.

    python -m studies.load TABLE.csv [--seconds 60]

An arena is served with `genmem arena serve`, which also scores, and its leaderboard is filled with
the entries of TABLE.csv (see `studies.replay`). Readers, half of them signed in, keep a connection
open as browsers do. They request the public leaderboard, and again two to three seconds after each
response. Uploads of 10,000 images each start together a few seconds later and use the tus protocol
in chunks of 8 MB, each over a line of 10 Mbit/s. Readers and uploaders run on the same machine, in
processes of their own. Prints Markdown.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import http.client
import io
import multiprocessing
import random
import tempfile
import threading
import time
import zipfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import numpy as np
from PIL import Image

from studies import arenas
from studies.competition_rows import add_submissions, table_rows
from studies.replay import served

if TYPE_CHECKING:
    from genmem.arena.competitions.models import Competition

READERS, UPLOADS, READING_PROCESSES = 200, 20, 2
PAUSE = (2.0, 3.0)
"""Seconds between a response and the next request of its reader."""
IMAGES, SIDE = 10_000, 16
LINE = 10_000_000 / 8
"""Bytes per second of an uploader's line."""
CHUNK, WRITE = 8 * 2**20, 2**15
SLUG = "load"
COMPETITION = f"""
title: Load
slug: {SLUG}
rules: None.
opens_at: 2026-01-01T00:00Z
closes_at: 2099-01-01T00:00Z
image_count: {IMAGES}
image_width: {SIDE}
image_height: {SIDE}
daily_limit: 100
public: {{backbone: pixels, train: data/public}}
private: {{backbone: pixels, train: data/private, tau: 0.2}}
"""


@dataclass(frozen=True, kw_only=True)
class Read:
    """One request for the leaderboard.

    Attributes:
        at: Unix time of the request.
        took: seconds until the response.
    """

    at: float
    took: float


def read_leaderboard(
    address: str, cookies: list[str], until: float
) -> tuple[list[Read], list[str]]:
    """Run one reader for each cookie.

    Args:
        address: URL of the arena.
        cookies: one for each reader; "" for a visitor who is not signed in.
        until: Unix time to stop at.

    Returns:
        All requests, and all errors.
    """
    reads: list[Read] = []
    errors: list[str] = []
    threads = [
        threading.Thread(target=_read, args=(address, cookie, until, reads, errors))
        for cookie in cookies
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return reads, errors


def _read(address: str, cookie: str, until: float, reads: list[Read], errors: list[str]) -> None:
    headers = {"Accept-Encoding": "gzip"} | ({"Cookie": cookie} if cookie else {})
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=60)
    time.sleep(random.uniform(0, PAUSE[1]))
    while time.time() < until:
        started = time.time()
        try:
            connection.request("GET", f"/c/{SLUG}/leaderboard/", headers=headers)
            response = connection.getresponse()
            content = response.read()
            if response.status != 200 or len(content) < 1000:
                errors.append(f"{response.status}, {len(content)} bytes")
        except OSError as error:
            errors.append(repr(error))
            connection.close()
        reads.append(Read(at=started, took=time.time() - started))
        time.sleep(random.uniform(*PAUSE))
    connection.close()


def send(address: str, token: str, file: Path) -> str:
    """Upload a file over a line of `LINE` bytes per second.

    Args:
        address: URL of the arena.
        token: API token of the uploader.
        file: to upload.

    Returns:
        An error, or "".
    """
    content = file.read_bytes()
    fields = {
        "filename": file.name,
        "kind": "images",
        "sha256": hashlib.sha256(content).hexdigest(),
    }
    metadata = ",".join(f"{k} {base64.b64encode(v.encode()).decode()}" for k, v in fields.items())
    common = {"Authorization": f"Bearer {token}", "Tus-Resumable": "1.0.0"}
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=120)
    creation = {"Upload-Length": str(len(content)), "Upload-Metadata": metadata}
    connection.request("POST", f"/c/{SLUG}/uploads/", headers=common | creation)
    response = connection.getresponse()
    body = response.read()
    if response.status != 201:
        return f"POST {response.status} {body[:200]!r}"
    path = urlsplit(response.headers["Location"]).path
    for offset in range(0, len(content), CHUNK):
        chunk = content[offset : offset + CHUNK]
        headers = common | {
            "Upload-Offset": str(offset),
            "Content-Type": "application/offset+octet-stream",
            "Content-Length": str(len(chunk)),
        }
        connection.request("PATCH", path, body=_throttled(chunk), headers=headers)
        response = connection.getresponse()
        body = response.read()
        if response.status != 204:
            return f"PATCH {response.status} {body[:200]!r}"
    return ""


def _throttled(chunk: bytes) -> Iterator[bytes]:
    started = time.monotonic()
    for offset in range(0, len(chunk), WRITE):
        yield chunk[offset : offset + WRITE]
        time.sleep(max(0.0, started + (offset + WRITE) / LINE - time.monotonic()))


def _send_all(address: str, tokens: list[str], file: Path) -> tuple[list[str], float]:
    """Start all uploads at once; returns their errors, and seconds until the last had ended."""
    errors: list[str] = []

    def run(token: str) -> None:
        error = send(address, token, file)
        if error:
            errors.append(error)

    started = time.monotonic()
    threads = [threading.Thread(target=run, args=(token,)) for token in tokens]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return errors, time.monotonic() - started


def write_zip(path: Path) -> None:
    """Write a submission of random images."""
    rng = np.random.default_rng(0)
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(IMAGES):
            buffer = io.BytesIO()
            pixels = rng.integers(0, 256, (SIDE, SIDE, 3), np.uint8)
            Image.fromarray(pixels).save(buffer, format="PNG")
            archive.writestr(f"{number:05d}.png", buffer.getvalue())


def create_users(competition: Competition) -> tuple[list[str], list[str]]:
    """Create readers and teams; returns cookies of the readers, and API tokens of team captains."""
    from django.test import Client

    from genmem.arena.accounts.models import User
    from genmem.arena.accounts.tokens import create_token
    from genmem.arena.teams.models import Membership, Team

    cookies, tokens = [], []
    for number in range(READERS // 2):
        user = User.objects.create_user(f"r{number}@example.org", display_name=f"Reader {number}")
        client = Client()
        client.force_login(user)
        cookies.append(f"sessionid={client.cookies['sessionid'].value}")
    for number in range(UPLOADS):
        user = User.objects.create_user(f"s{number}@example.org", display_name=f"Sender {number}")
        team = Team.objects.create(competition=competition, name=f"Senders {number}")
        Membership.objects.create(team=team, user=user, captain=True)
        tokens.append(create_token(user, "load")[1])
    return cookies, tokens


def main() -> None:
    """Build a scratch arena, load it and print the measurements."""
    parser = argparse.ArgumentParser(description="Load a scratch arena.")
    parser.add_argument("table", type=Path)
    parser.add_argument("--seconds", type=float, default=60.0)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "arena"
        arenas.command("init", folder)
        for place, kind in enumerate(("public", "private")):
            arenas.images(folder / "data" / kind, 200, first=1000 * (place + 1), side=SIDE)
        (folder / "load.yaml").write_text(COMPETITION)
        arenas.command("create", folder, folder / "load.yaml")
        from genmem.arena import load

        load(folder)
        from genmem.arena.competitions.models import Competition, Split

        competition = Competition.objects.get(slug=SLUG)
        add_submissions(table_rows(arguments.table), competition, list(Split.objects.all()))
        cookies, tokens = create_users(competition)
        write_zip(Path(scratch) / "entry.zip")
        size = (Path(scratch) / "entry.zip").stat().st_size
        with served(folder, worker=True) as address:
            measure(address, cookies, tokens, Path(scratch) / "entry.zip", arguments.seconds)
        from genmem.arena.submissions.models import Submission

        sent = Submission.objects.filter(team__name__startswith="Senders")
        print(f"{sent.count()} uploads of {size / 2**20:.0f} MiB are submissions.")


def measure(
    address: str, cookies: list[str], tokens: list[str], file: Path, seconds: float
) -> None:
    """Run all readers and uploads, and print the measurements.

    Args:
        address: URL of the arena.
        cookies: of the readers who are signed in.
        tokens: of the uploaders.
        file: to upload.
        seconds: to measure.
    """
    readers = cookies + [""] * (READERS - len(cookies))
    random.seed(0)
    random.shuffle(readers)
    shares = [readers[start::READING_PROCESSES] for start in range(READING_PROCESSES)]
    until = time.time() + seconds
    with ProcessPoolExecutor(
        READING_PROCESSES + 1, mp_context=multiprocessing.get_context("spawn")
    ) as pool:
        reading = [pool.submit(read_leaderboard, address, share, until) for share in shares]
        time.sleep(5)
        started = time.time()
        failed, took = pool.submit(_send_all, address, tokens, file).result()
        results = [future.result() for future in reading]
    reads = [read for result in results for read in result[0]]
    errors = [error for result in results for error in result[1]]
    during = [read for read in reads if started <= read.at <= started + took]
    print("\n| | requests | median | 95th percentile | longest | errors |")
    print("|---|---|---|---|---|---|")
    for name, group in (("during the uploads", during), ("in all", reads)):
        times = 1000 * np.array([read.took for read in group])
        print(
            f"| leaderboard, {READERS} readers, {name} | {len(group):,} | "
            f"{np.median(times):.0f} ms | {np.percentile(times, 95):.0f} ms | "
            f"{times.max():.0f} ms | {len(errors)} |"
        )
    print(f"\n{len(tokens)} uploads in {took:.0f} s, {len(failed)} failed {failed[:3]}{errors[:3]}")


if __name__ == "__main__":
    main()
