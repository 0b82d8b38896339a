"""An arena to look around in: one competition that is open, one that closed and is under review."""

from __future__ import annotations

import io
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol

from django.db import transaction

from genmem.arena.accounts.models import User
from genmem.arena.auditlog.log import record
from genmem.arena.competitions.models import Competition
from genmem.arena.competitions.yaml_file import create_from_yaml
from genmem.arena.core import clock
from genmem.arena.leaderboards.finals import choose_finals
from genmem.arena.moderation.decisions import decide, rebut
from genmem.arena.moderation.reviews import add_label, add_note
from genmem.arena.ratings.rounds import Terms, open_round, top_submissions
from genmem.arena.submissions.models import Submission
from genmem.arena.submissions.services import receive
from genmem.arena.teams.models import Role, Team
from genmem.arena.teams.teams import create_team
from genmem.errors import GenmemError

PASSWORD = "look-around"
"""Of every account of the demo, which listens on this machine only."""

ORGANISER = "organiser@example.org"
REVIEWERS = ("ada@example.org", "grace@example.org")
SLUGS = ("digits-open", "digits-closed")

_BACKBONE = "efficientnet-lite0"
_PUBLIC_TAU = 0.001
"""Too low on purpose, as in the competition of the paper: the boldest cheat leads the public
board."""
_PRIVATE_TAU = 0.055
_PATIENCE = 1_800
"""Seconds until scoring is given up."""

_RULES = """\
Make **handwritten digits** that look real and are **your own**.

You get 600 of them to train on. Send a zip with {count} PNG images of 32 × 32 pixels.
The score is the Fréchet distance to real digits; images that lie closer to the training digits
than the threshold allows are penalised. Lower is better.
"""


class Entry(Protocol):
    """One submission of the demo."""

    @property
    def team(self) -> str:
        """Who sends it."""
        ...

    @property
    def label(self) -> str:
        """What it is, as reviewers label."""
        ...

    @property
    def file_name(self) -> str:
        """As its team calls it."""
        ...

    @property
    def images(self) -> list[bytes]:
        """PNGs."""
        ...


def fill(folder: Path, train: Sequence[bytes], entries: Sequence[Entry]) -> None:
    """Fill the new arena in `folder`: people, two competitions, entries received, none scored."""
    images = folder.resolve() / "data" / "digits"
    images.mkdir(parents=True)
    for place, content in enumerate(train):
        (images / f"{place:04d}.png").write_bytes(content)
    organiser = _person(ORGANISER, "The organiser", is_staff=True)
    reviewers = [_person(email, email.partition("@")[0].title()) for email in REVIEWERS]
    count = len(entries[0].images)
    for slug in SLUGS:
        competition = _competition(images, folder / f"{slug}.yaml", slug, count)
        for reviewer in reviewers:
            Role.objects.create(competition=competition, user=reviewer, role="reviewer")
        _send_all(competition, entries)
        record(competition, actor=organiser, action="fill demo", subject=slug)


def wait_until_scored(since: float) -> None:
    """Return when nothing is waiting any more, saying how far it is.

    Args:
        since: `time.monotonic()` when scoring began.

    Raises:
        GenmemError: it takes longer than half an hour.
    """
    total, told = Submission.objects.count(), -1
    while waiting := Submission.objects.filter(state__in=("received", "scoring")).count():
        if waiting != told:
            print(f"scored {total - waiting} of {total} submissions", file=sys.stderr, flush=True)
            told = waiting
        if time.monotonic() - since > _PATIENCE:
            raise GenmemError(f"{waiting} of {total} submissions are still not scored; gave up")
        time.sleep(0.5)


def close_and_review(entries: Iterable[Entry]) -> None:
    """Close the second competition and do half of the desk's work there."""
    competition = Competition.objects.get(slug=SLUGS[1])
    organiser = User.objects.get(email=ORGANISER)
    reviewers = list(User.objects.filter(email__in=REVIEWERS).order_by("email"))
    for slug in SLUGS:
        _choose_finals(Competition.objects.get(slug=slug))
    _close(competition, organiser, clock.now())
    labels = {(one.team, one.file_name): one.label for one in entries}
    sent = Submission.objects.filter(team__competition=competition, state="scored")
    for place, submission in enumerate(sent.select_related("team").order_by("received_at")):
        label = labels[submission.team.name, submission.original_name]
        reason = "" if label == "legitimate" else f"The closest images show it: {label}."
        # The second reviewer has looked at half of them.
        for reviewer in reviewers[: 1 + place % 2]:
            add_label(submission, label, reason=reason, by=reviewer)
    caught = sent.get(original_name="decoder.zip")
    add_note(caught, "Every image has its training image beside it.", by=reviewers[0])
    decision = decide(
        caught,
        "disqualified",
        reason="Its images are training images, blended one part in a hundred with another.",
        by=organiser,
        label="SUP",
    )
    rebut(
        decision,
        text="Our decoder was trained on fixed codes; nothing in the rules forbids that.",
        by=caught.author,
    )
    terms = Terms(title="Quality and diversity")
    open_round(competition, top_submissions(competition, 6), terms, by=organiser)


def _person(email: str, name: str, *, is_staff: bool = False) -> User:
    return User.objects.create_user(email, PASSWORD, display_name=name, is_staff=is_staff)


def _competition(images: Path, written: Path, slug: str, count: int) -> Competition:
    now = clock.now()
    split = "backbone: {backbone}, train: {train}, tau: {tau}"
    splits = {
        kind: split.format(backbone=_BACKBONE, train=images, tau=tau)
        for kind, tau in (("public", _PUBLIC_TAU), ("private", _PRIVATE_TAU))
    }
    rules = "\n".join(f"  {line}" for line in _RULES.format(count=count).splitlines())
    written.write_text(
        f"title: Digits ({slug.partition('-')[2]})\n"
        f"slug: {slug}\n"
        f"rules: |\n{rules}\n"
        f"opens_at: {(now - timedelta(days=30)).isoformat()}\n"
        f"closes_at: {(now + timedelta(days=30)).isoformat()}\n"
        f"image_count: {count}\nimage_width: 32\nimage_height: 32\n"
        f"daily_limit: 10\naccepts_code: true\nwall_seconds: 120\nmemory_bytes: 1 GiB\n"
        f"public: {{{splits['public']}}}\nprivate: {{{splits['private']}}}\n",
        encoding="utf-8",
    )
    return create_from_yaml(written)


def _send_all(competition: Competition, entries: Sequence[Entry]) -> None:
    teams: dict[str, Team] = {}
    for entry in entries:
        if entry.team not in teams:
            email = f"{entry.team.lower().replace(' ', '.')}@example.org"
            captain = User.objects.filter(email=email).first() or _person(email, entry.team)
            teams[entry.team] = create_team(competition, captain, entry.team)
        team = teams[entry.team]
        author = User.objects.get(memberships__team=team, memberships__captain=True)
        with tempfile.TemporaryDirectory() as scratch:
            path = Path(scratch) / entry.file_name
            path.write_bytes(_zipped(entry.images))
            receive(path, team=team, author=author, kind="images", original_name=entry.file_name)


def _zipped(images: Sequence[bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for place, content in enumerate(images):
            archive.writestr(f"{place:04d}.png", content)
    return buffer.getvalue()


def _choose_finals(competition: Competition) -> None:
    """Every second team chooses; for the others the default stands."""
    for team in list(Team.objects.filter(competition=competition).order_by("pk"))[::2]:
        captain = User.objects.get(memberships__team=team, memberships__captain=True)
        sent = Submission.objects.filter(team=team, state="scored").order_by("-received_at")
        choose_finals(team, captain, [one.pk for one in sent[: competition.final_count]])


def _close(competition: Competition, organiser: User, at: datetime) -> None:
    with transaction.atomic():
        before = competition.closes_at
        competition.closes_at = competition.merge_until = at
        competition.save(update_fields=["closes_at", "merge_until"])
        record(
            competition,
            actor=organiser,
            action="edit competition",
            subject=competition.slug,
            before={"closes_at": before},
            after={"closes_at": at},
        )
