"""The demo arena's contents: one open competition, and one closed competition under review."""

from __future__ import annotations

import io
import sys
import tempfile
import time
import zipfile
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path

from django.db import transaction

from genmem.arena.accounts.models import User
from genmem.arena.auditlog.log import record
from genmem.arena.competitions.models import Competition
from genmem.arena.competitions.yaml_file import create_from_yaml
from genmem.arena.core import clock
from genmem.arena.leaderboards.finals import choose_finals
from genmem.arena.moderation.decisions import decide, rebut
from genmem.arena.moderation.reviews import add_label, add_note
from genmem.arena.ratings.models import Round
from genmem.arena.ratings.rounds import open_round, top_submissions
from genmem.arena.submissions.models import Submission
from genmem.arena.submissions.services import receive
from genmem.arena.teams.models import Role, Team
from genmem.arena.teams.teams import create_team
from genmem.demo.arena_submissions import DemoCompetition, DemoSubmission
from genmem.errors import GenmemError

PASSWORD = "look-around"
"""Of every account of the demo, which listens on this machine only."""

ORGANIZER = "organizer@example.org"
REVIEWERS = ("ada@example.org", "grace@example.org")
SLUGS = ("digits-open", "digits-closed")

_BACKBONE = "efficientnet-lite0"
_TAUS = {"public": 0.001, "private": 0.055}
"""The public τ is too low on purpose, as in the competition of the paper: the boldest cheat leads
the public leaderboard."""
_TIMEOUT = 1_800
"""Seconds to wait for the scores."""

_RULES = """\
Make **handwritten digits** that look real and are **your own**.

You get 600 of them to train on. Upload a zip with {count} PNG images of 32 × 32 pixels.
The score is the Fréchet distance to real digits; images that are nearer to the training digits
than the threshold allows are penalized and rank last. Lower is better.
"""


def fill(folder: Path, data: DemoCompetition) -> None:
    """Fill a new arena with people and two competitions whose submissions are not scored yet."""
    images = folder.resolve() / "data" / "digits"
    images.mkdir(parents=True)
    for number, content in enumerate(data.train):
        (images / f"{number:04d}.png").write_bytes(content)
    organizer = _create_user(ORGANIZER, "The organizer", is_staff=True)
    reviewers = [_create_user(email, email.partition("@")[0].title()) for email in REVIEWERS]
    count = len(data.submissions[0].images)
    for slug in SLUGS:
        competition = _create_competition(images, folder / f"{slug}.yaml", slug, count)
        for reviewer in reviewers:
            Role.objects.create(competition=competition, user=reviewer, role="reviewer")
        _submit_all(competition, data.submissions)
        record(competition, actor=organizer, action="fill demo", subject=slug)


def wait_until_scored(since: float) -> None:
    """Wait until every submission is scored, and print the progress.

    Args:
        since: `time.monotonic()` when scoring began.

    Raises:
        GenmemError: it takes more than half an hour.
    """
    total, previous = Submission.objects.count(), -1
    while waiting := Submission.objects.filter(state__in=("received", "scoring")).count():
        if waiting != previous:
            print(f"scored {total - waiting} of {total} submissions", file=sys.stderr, flush=True)
            previous = waiting
        if time.monotonic() - since > _TIMEOUT:
            raise GenmemError(f"{waiting} of {total} submissions were not scored in time; gave up")
        time.sleep(0.5)


def close_and_review(data: DemoCompetition) -> None:
    """Close the second competition, and do half of its moderation."""
    competition = Competition.objects.get(slug=SLUGS[1])
    organizer = User.objects.get(email=ORGANIZER)
    reviewers = list(User.objects.filter(email__in=REVIEWERS).order_by("email"))
    for slug in SLUGS:
        _choose_finals(Competition.objects.get(slug=slug))
    _close(competition, organizer, clock.now())
    labels = {(row.team, row.file_name): row.label for row in data.submissions}
    scored = Submission.objects.filter(team__competition=competition, state="scored")
    for number, submission in enumerate(scored.select_related("team").order_by("received_at")):
        label = labels[submission.team.name, submission.original_name]
        reason = "" if label == "legitimate" else f"The nearest images show it: {label}."
        # The second reviewer has labelled half of the submissions.
        for reviewer in reviewers[: 1 + number % 2]:
            add_label(submission, label, reason=reason, by=reviewer)
    copied = scored.get(original_name="decoder.zip")
    add_note(copied, "Every image is next to its training image.", by=reviewers[0])
    decision = decide(
        copied,
        "disqualified",
        reason="Its images are training images, blended with 1 % of another one.",
        by=organizer,
        label="SUP",
    )
    rebut(
        decision,
        text="Our decoder was trained on fixed codes; nothing in the rules forbids that.",
        by=copied.author,
    )
    rating_round = Round(competition=competition, title="Quality and diversity")
    open_round(rating_round, top_submissions(competition, 6), by=organizer)


def _create_user(email: str, name: str, *, is_staff: bool = False) -> User:
    return User.objects.create_user(email, PASSWORD, display_name=name, is_staff=is_staff)


def _create_competition(images: Path, path: Path, slug: str, count: int) -> Competition:
    now = clock.now()
    splits = {
        kind: f"{{backbone: {_BACKBONE}, train: {images}, tau: {tau}}}"
        for kind, tau in _TAUS.items()
    }
    rules = "\n".join(f"  {line}" for line in _RULES.format(count=count).splitlines())
    path.write_text(
        f"title: Digits ({slug.partition('-')[2]})\n"
        f"slug: {slug}\n"
        f"rules: |\n{rules}\n"
        f"opens_at: {(now - timedelta(days=30)).isoformat()}\n"
        f"closes_at: {(now + timedelta(days=30)).isoformat()}\n"
        f"image_count: {count}\nimage_width: 32\nimage_height: 32\n"
        f"daily_limit: 10\naccepts_code: true\nwall_seconds: 120\nmemory_bytes: 1 GiB\n"
        f"public: {splits['public']}\nprivate: {splits['private']}\n",
        encoding="utf-8",
    )
    return create_from_yaml(path)


def _submit_all(competition: Competition, submissions: Sequence[DemoSubmission]) -> None:
    teams: dict[str, Team] = {}
    for submission in submissions:
        name = submission.team
        if name not in teams:
            email = f"{name.lower().replace(' ', '.')}@example.org"
            captain = User.objects.filter(email=email).first() or _create_user(email, name)
            teams[name] = create_team(competition, captain, name)
        with tempfile.TemporaryDirectory() as scratch:
            path = Path(scratch) / submission.file_name
            path.write_bytes(_zip(submission.images))
            receive(
                path,
                team=teams[name],
                author=_captain(teams[name]),
                kind="images",
                original_name=submission.file_name,
            )


def _zip(images: Sequence[bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for number, content in enumerate(images):
            archive.writestr(f"{number:04d}.png", content)
    return buffer.getvalue()


def _captain(team: Team) -> User:
    return User.objects.get(memberships__team=team, memberships__captain=True)


def _choose_finals(competition: Competition) -> None:
    """Every second team chooses its finals; the others keep the default."""
    for team in list(Team.objects.filter(competition=competition).order_by("pk"))[::2]:
        scored = Submission.objects.filter(team=team, state="scored").order_by("-received_at")
        finals = [submission.pk for submission in scored[: competition.final_count]]
        choose_finals(team, _captain(team), finals)


def _close(competition: Competition, organizer: User, at: datetime) -> None:
    with transaction.atomic():
        before = competition.closes_at
        competition.closes_at = competition.merge_until = at
        competition.save(update_fields=["closes_at", "merge_until"])
        record(
            competition,
            actor=organizer,
            action="edit competition",
            subject=competition.slug,
            before={"closes_at": before},
            after={"closes_at": at},
        )
