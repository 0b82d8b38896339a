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
import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray

from genmem.calibration import Labels, penalized_score, ranked_score, read_table

if TYPE_CHECKING:
    from genmem.arena.competitions.models import Competition, Split
    from genmem.arena.submissions.models import Submission

Floats = NDArray[np.float64]

TAUS = {"public": 0.1, "private": 0.25}
LABELS: dict[str, str] = {
    "non-mem": "legitimate",
    "mgan": "MGAN",
    "sup": "SUP",
    "aug": "AUG",
    "ae": "AE",
}
SUBMISSIONS, TEAMS = 11_192, 924
TOP = 100
START = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, kw_only=True)
class Rows:
    """Submissions of a competition, in order of receipt.

    Attributes:
        ids: as in the table, or generated.
        teams: number of each one's team, from 0.
        fd, distance: by kind of split, float64 [n].
        labels: of the arena; "" where nobody reviewed the submission.
    """

    ids: Sequence[str]
    teams: Sequence[int]
    fd: dict[str, Floats]
    distance: dict[str, Floats]
    labels: Sequence[str]


def table_rows(path: Path) -> Rows:
    """Read the public table; each row is a team of its own."""
    columns = {kind: (f"FID_{kind}", f"distance_{kind}") for kind in TAUS}
    table = read_table(
        path,
        numbers=[name for pair in columns.values() for name in pair],
        label="labels",
        labels=Labels(),
        identifier="submission_id",
    )
    return Rows(
        ids=table.ids,
        teams=range(len(table)),
        fd={kind: table.numbers[pair[0]] for kind, pair in columns.items()},
        distance={kind: table.numbers[pair[1]] for kind, pair in columns.items()},
        labels=[LABELS.get(one, "") for one in table.labels],
    )


def resample(
    rows: Rows, *, submissions: int = SUBMISSIONS, teams: int = TEAMS, seed: int = 0
) -> Rows:
    """Draw rows with replacement, and change FD and distance by up to 2 %.

    Every team has at least one submission; the others follow a power law: some teams have hundreds.

    Args:
        rows: what to draw from.
        submissions: how many to draw.
        teams: how many teams they belong to.
        seed: of the draw.
    """
    rng = np.random.default_rng(seed)
    picked = rng.integers(0, len(rows.ids), submissions)
    labels: list[str] = [str(rows.labels[place]) for place in picked.tolist()]
    weights = 1 / np.arange(1, teams + 1) ** 0.7
    owners = np.concatenate(
        [np.arange(teams), rng.choice(teams, submissions - teams, p=weights / weights.sum())]
    )

    def moved(values: Floats) -> Floats:
        return values[picked] * rng.uniform(0.98, 1.02, submissions)

    return Rows(
        ids=[f"drawn-{place:05d}" for place in range(submissions)],
        teams=rng.permutation(owners).tolist(),
        fd={kind: moved(values) for kind, values in rows.fd.items()},
        distance={kind: moved(values) for kind, values in rows.distance.items()},
        labels=labels,
    )


def add_submissions(
    rows: Rows, competition: Competition, splits: Sequence[Split]
) -> list[Submission]:
    """Add the rows to a competition as submissions by one author, scored on these splits."""
    from django.db import transaction

    from genmem.arena.accounts.models import User
    from genmem.arena.leaderboards.models import ScoreVersion
    from genmem.arena.submissions.models import Submission
    from genmem.arena.teams.models import Team

    slug = competition.slug
    with transaction.atomic():
        author = User.objects.create_user(f"author-{slug}@example.org", display_name="Author")
        teams = Team.objects.bulk_create(
            Team(competition=competition, name=f"Team {number + 1}")
            for number in range(max(rows.teams) + 1)
        )
        submissions = Submission.objects.bulk_create(
            [
                Submission(
                    id=uuid.uuid5(uuid.NAMESPACE_URL, f"{slug}/{name}"),
                    team=teams[team],
                    author=author,
                    kind="images",
                    received_at=START + timedelta(seconds=400 * place),
                    size=1,
                    sha256="0" * 64,
                    original_name=f"{name}.zip",
                    state="scored",
                    file=f"submissions/{name}.zip",
                )
                for place, (name, team) in enumerate(zip(rows.ids, rows.teams, strict=True))
            ],
            batch_size=1000,
        )
        for split in splits:
            kind, tau = split.kind, split.tau
            scores = penalized_score(fd=rows.fd[kind], distance=rows.distance[kind], tau=tau)
            ScoreVersion.objects.bulk_create(
                [
                    ScoreVersion(
                        submission=submission,
                        split=split,
                        fd=float(fd),
                        distance=float(distance),
                        score=float(score),
                        tau=tau,
                        epsilon=split.epsilon,
                        backbone="pixels",
                        made_at=submission.received_at + timedelta(minutes=10),
                    )
                    for submission, fd, distance, score in zip(
                        submissions, rows.fd[kind], rows.distance[kind], scores, strict=True
                    )
                ],
                batch_size=1000,
            )
    return submissions


def fill(rows: Rows, *, slug: str, labelled: bool = True) -> Competition:
    """Create a closed competition with these submissions, all scored.

    Args:
        rows: the submissions.
        slug: of the competition.
        labelled: whether two reviewers give the rows' labels.
    """
    from django.db import transaction

    from genmem.arena.accounts.models import User
    from genmem.arena.competitions.models import Competition, Split
    from genmem.arena.moderation.models import Label
    from genmem.arena.teams.models import Role

    with transaction.atomic():
        competition = Competition.objects.create(
            slug=slug,
            title=f"Replay {slug}",
            opens_at=START - timedelta(days=1),
            merge_until=START,
            closes_at=START + timedelta(days=60),
            image_formats=["png"],
        )
        splits = [
            Split.objects.create(
                competition=competition,
                kind=kind,
                version=1,
                backbone="pixels",
                train="/nowhere",
                tau=tau,
            )
            for kind, tau in TAUS.items()
        ]
        submissions = add_submissions(rows, competition, splits)
        reviewers = [
            User.objects.create_user(
                f"reviewer{n}-{slug}@example.org", display_name=f"Reviewer {n}"
            )
            for n in (1, 2)
        ]
        Role.objects.bulk_create(
            Role(competition=competition, user=one, role="reviewer") for one in reviewers
        )
        if labelled:
            Label.objects.bulk_create(
                [
                    Label(submission=submission, reviewer=one, label=label, reason="replayed")
                    for submission, label in zip(submissions, rows.labels, strict=True)
                    for one in reviewers
                    if label
                ],
                batch_size=1000,
            )
    return competition


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
    found = []
    for number in range(repeats):
        start = time.perf_counter()
        call(number)
        found.append(1000 * (time.perf_counter() - start))
    return Timing(float(np.median(found)), float(np.percentile(found, 95)))


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
    found = {}
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
        found[name] = [warm, Timing(float(np.median(cold)), float(np.percentile(cold, 95)))]
    return found


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
    given = parser.parse_args()
    from genmem.arena.core.configuration import write_new

    rows = table_rows(given.table)
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
        for slug, one in (("table", rows), ("full", resample(rows))):
            competition = fill(one, slug=slug)
            with served(folder) as address:
                pages = measure_pages(address, slug, cookie, given.repeats)
            print_times(slug, one, pages, measure_ranking(competition, given.repeats))


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
    for name, found in pages.items():
        print(
            f"| {name} | " + " | ".join(f"{one.median:.0f} ({one.p95:.0f})" for one in found) + " |"
        )
    for name, one in ranking.items():
        print(f"| {name} | {one.median:.1f} ({one.p95:.1f}) | |")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
