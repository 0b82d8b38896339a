"""Replay a competition: how fast the arena's pages are, and how many reviews moderation takes.

    python -m studies.replay TABLE.csv [--repeats N]

TABLE.csv is the public results table of the Generative Dog Images competition (1,666 rows). Its
rows become scored submissions of a new arena, one team each since the table names no teams, with
the table's labels as those of two reviewers who agree. The study requests pages over HTTP, ranks
the leaderboard at other τ, and counts reviews by following the review queue. It repeats this with
11,192 submissions of 924 teams, resampled from the table (`resample`). Prints Markdown.
"""

from __future__ import annotations

import argparse
import http.client
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import numpy as np

from genmem.calibration import ranked_score
from studies.competition_rows import START, TAUS, Rows, fill, resample, table_rows

if TYPE_CHECKING:
    from genmem.arena.competitions.models import Competition

TOP = 100


@dataclass(frozen=True)
class ReviewCount:
    """Submissions reviewed until the private top is settled, and the reviews (two each)."""

    submissions: int
    reviews: int


def reviews_until_clean(
    rows: Rows, *, tau: float | None, blank_is_legitimate: bool, top: int = TOP
) -> ReviewCount:
    """Count the reviews of a private leaderboard; reviewers find the rows' labels.

    docs/reproduction.md makes the same count from the table alone, where a row without a label
    holds no place: that is `blank_is_legitimate=False`.

    Args:
        rows: the submissions; all of them are final.
        tau: of the private split; None: rank by FD, without a penalty.
        blank_is_legitimate: whether a submission without a label is legitimate or copies.
        top: how much of the leaderboard to settle.
    """
    from genmem.arena.leaderboards.ranking import ScoredSubmission
    from genmem.arena.moderation.queue import count_reviewed

    scores = ranked_score(fd=rows.fd["private"], distance=rows.distance["private"], tau=tau)
    submissions = [
        ScoredSubmission(team=team, id=str(place), score=float(score), received_at=START)
        for place, (team, score) in enumerate(zip(rows.teams, scores, strict=True), 10_000_000)
    ]

    def copies(submission: ScoredSubmission) -> bool:
        label = rows.labels[int(submission.id) - 10_000_000]
        return not blank_is_legitimate if label == "" else label != "legitimate"

    reviewed = count_reviewed(submissions, copies, top=top)
    return ReviewCount(submissions=reviewed, reviews=2 * reviewed)


@dataclass(frozen=True)
class Timing:
    """Milliseconds: the median and the 95th percentile."""

    median: float
    p95: float


def time_calls(repeats: int, call: Callable[[int], object]) -> Timing:
    """Time `call(0)`, `call(1)`, …"""
    times = []
    for number in range(repeats):
        start = time.perf_counter()
        call(number)
        times.append(1000 * (time.perf_counter() - start))
    return Timing(float(np.median(times)), float(np.percentile(times, 95)))


@contextmanager
def served(folder: Path, *, worker: bool = False) -> Iterator[str]:
    """Run `genmem arena serve`, with or without a worker, and yield its address."""
    import socket

    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-c", "from genmem.cli.app import main; main()", "arena", "serve"]
    process = subprocess.Popen(
        [*command, str(folder), "--port", str(port), *([] if worker else ["--no-worker"])]
    )
    try:
        for _ in range(300):
            try:
                fetch(f"http://127.0.0.1:{port}", "/")
                break
            except OSError:
                time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(30)


def fetch(address: str, where: str, cookie: str = "") -> bytes:
    """Get a page over a new connection."""
    connection = http.client.HTTPConnection(urlsplit(address).netloc, timeout=60)
    try:
        connection.request("GET", where, headers={"Cookie": cookie} if cookie else {})
        answer = connection.getresponse()
        content = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{where}: {answer.status}")
        return content
    finally:
        connection.close()


def measure_pages(address: str, slug: str, cookie: str, repeats: int) -> dict[str, list[Timing]]:
    """Time every page: requested again, and after a change."""
    from genmem.arena.auditlog.log import record
    from genmem.arena.competitions.models import Competition

    competition = Competition.objects.get(slug=slug)
    taus = np.linspace(0.05, 0.45, repeats)
    pages: dict[str, Callable[[int], str]] = {
        "public leaderboard, signed out": lambda _: f"/c/{slug}/leaderboard/",
        "public leaderboard": lambda _: f"/c/{slug}/leaderboard/",
        "private leaderboard": lambda _: f"/c/{slug}/leaderboard/private/",
        "review queue": lambda _: f"/c/{slug}/moderation/",
        "distances": lambda _: f"/c/{slug}/moderation/distances/private/",
        "leaderboard at another τ": lambda number: (
            f"/c/{slug}/moderation/distances/private/preview/?tau={taus[number]:.4f}"
        ),
    }
    timings = {}
    for name, where in pages.items():
        signed_in = "" if "signed out" in name else cookie
        fetch(address, where(0), signed_in)
        warm = time_calls(repeats, lambda n, w=where, s=signed_in: fetch(address, w(n), s))
        cold = []
        for number in range(repeats):
            record(competition, actor=None, action="measure", subject=f"{name} {number}")
            start = time.perf_counter()
            fetch(address, where(number), signed_in)
            cold.append(1000 * (time.perf_counter() - start))
        timings[name] = [warm, Timing(float(np.median(cold)), float(np.percentile(cold, 95)))]
    return timings


def measure_ranking(competition: Competition, repeats: int) -> dict[str, Timing]:
    """Time ranking all submissions in this process, and putting another τ in force."""
    from genmem.arena.moderation.change_threshold import change_threshold
    from genmem.arena.moderation.threshold_preview import preview, split_scores

    scores = split_scores(competition, "private")
    assert scores is not None
    taus = np.linspace(0.05, 0.45, repeats)
    ranked = time_calls(repeats, lambda number: preview(scores, float(taus[number])))
    applied = time_calls(
        6,
        lambda number: change_threshold(
            competition, "private", 0.26 + 0.01 * number, reason="measured", actor=None
        ),
    )
    return {"ranking all in memory": ranked, "putting another τ in force": applied}


def main() -> None:
    """Run the study and print its tables."""
    parser = argparse.ArgumentParser(description="Replay a competition in a scratch arena.")
    parser.add_argument("table", type=Path)
    parser.add_argument("--repeats", type=int, default=50)
    arguments = parser.parse_args()
    from genmem.arena.core.configuration import write_new

    rows = table_rows(arguments.table)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch) / "arena"
        write_new(folder)
        from genmem.arena.serving import prepare

        prepare(folder)
        from django.test import Client

        from genmem.arena.accounts.models import User

        user = User.objects.create_user("o@example.org", display_name="O", is_staff=True)
        client = Client()
        client.force_login(user)
        cookie = f"sessionid={client.cookies['sessionid'].value}"
        print_reviews(rows)
        for slug, submissions in (("table", rows), ("full", resample(rows))):
            competition = fill(submissions, slug=slug)
            with served(folder) as address:
                pages = measure_pages(address, slug, cookie, arguments.repeats)
            print_times(slug, submissions, pages, measure_ranking(competition, arguments.repeats))


def print_reviews(rows: Rows) -> None:
    """Print the review counts."""
    print(
        f"\n| reviews until the private top {TOP} is settled | blank is legitimate | blank copies |"
    )
    print("|---|---|---|")
    for name, tau in (("by FD, no penalty", None), ("by MiFID, τ = 0.25", TAUS["private"])):
        cells = [
            reviews_until_clean(rows, tau=tau, blank_is_legitimate=clean) for clean in (True, False)
        ]
        print(
            f"| {name} | "
            + " | ".join(f"{c.reviews} ({c.submissions} submissions)" for c in cells)
            + " |"
        )


def print_times(
    slug: str, rows: Rows, pages: dict[str, list[Timing]], ranking: dict[str, Timing]
) -> None:
    """Print the times."""
    print(f"\n{slug}: {len(rows.ids):,} submissions, {len(set(rows.teams)):,} teams, ms (p95)\n")
    print("| | requested again | after a change |")
    print("|---|---|---|")
    for name, timings in pages.items():
        print(f"| {name} | " + " | ".join(f"{t.median:.0f} ({t.p95:.0f})" for t in timings) + " |")
    for name, timing in ranking.items():
        print(f"| {name} | {timing.median:.1f} ({timing.p95:.1f}) | |")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
