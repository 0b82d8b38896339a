"""The one door for submissions: whoever brings a complete file here is held to the same rules.

    check_submission_allowed(team, author, kind=…, size=…)   before the upload: refuse early
    receive(path, team=…, …)                                 after the last byte: this decides

A submission is in time when it was complete by the deadline, by the server's clock. One upload is
one submission or none: the file is kept first, then the row is written that names it. Where that
was cut short (or may have been: a commit whose answer is lost), `remove_orphans` clears up later.
"""

from __future__ import annotations

import hashlib
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from django.db import transaction
from django.db.models import Q

from genmem.arena.accounts.models import User
from genmem.arena.competitions.models import Competition
from genmem.arena.core import clock, formatting
from genmem.arena.submissions.models import Step, Submission, Upload, steps_of
from genmem.arena.submissions.storage import keep, remove
from genmem.arena.teams.models import Membership, Team
from genmem.errors import GenmemError

_PIECE = 2**20


class SubmissionRefused(GenmemError):  # noqa: N818
    """A submission that is not taken. `status` is the HTTP status that fits the reason."""

    def __init__(self, message: str, *, status: int = 403) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, kw_only=True)
class Allowance:
    """How many submissions a team has left today, and when the next day begins."""

    used: int
    limit: int
    renewed_at: datetime

    @property
    def left(self) -> int:
        """How many more are taken today."""
        return max(0, self.limit - self.used)


def allowance(team: Team, at: datetime | None = None) -> Allowance:
    """What a team has used of its day (UTC).

    What a member sent for another team of this competition today counts too, so that leaving and
    joining wins nothing.
    """
    at = at or clock.now()
    day = at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    members = Membership.objects.filter(team=team).values("user")
    used = Submission.objects.filter(
        Q(team=team) | Q(author__in=members),
        team__competition=team.competition_id,  # type: ignore[misc]
        counts_against_limit=True,
        received_at__gte=day,
        received_at__lt=day + timedelta(days=1),
    ).count()
    return Allowance(
        used=used, limit=team.competition.daily_limit, renewed_at=day + timedelta(days=1)
    )


def check_submission_allowed(
    team: Team, author: User, *, kind: str, size: int, at: datetime | None = None
) -> None:
    """Raise SubmissionRefused unless a submission complete at `at` (None: now) would be taken."""
    at = at or clock.now()
    competition = team.competition
    if not Membership.objects.filter(team=team, user=author).exists():
        raise SubmissionRefused(f"You are not in the team {team.name}.")
    _check_dates(competition, at)
    takes = {"images": competition.accepts_images, "code": competition.accepts_code}
    if not takes.get(kind, False):
        asked = " and ".join(name for name, taken in takes.items() if taken)
        raise SubmissionRefused(f"This competition takes {asked}, not {kind}.", status=400)
    if size > competition.maximum_upload_bytes:
        raise SubmissionRefused(
            f"The file has {formatting.size(size)} ({size:,} bytes); the most that is taken is "
            f"{formatting.size(competition.maximum_upload_bytes)}.",
            status=413,
        )
    if size <= 0:
        raise SubmissionRefused("The file is empty.", status=400)
    today = allowance(team, at)
    if today.left == 0:
        raise SubmissionRefused(
            f"{today.used} of {today.limit} submissions of today are used; the next can be sent "
            f"from {formatting.moment(today.renewed_at)}.",
            status=429,
        )


def receive(
    file_path: Path,
    *,
    team: Team,
    author: User,
    kind: str,
    original_name: str,
    sha256: str = "",
    received_at: datetime | None = None,
    upload: Upload | None = None,
) -> Submission:
    """Take a complete upload: a submission in the state "received", with its steps waiting.

    Args:
        file_path: the file; it is left where it is, and may be deleted afterwards.
        team: whose it is.
        author: who sent it.
        kind: "images" or "code".
        original_name: as its author calls it.
        sha256: what its author says its hash is; "" checks nothing.
        received_at: when its last byte was here, by the server's clock; None: now.
        upload: by which it came; it is marked as finished together with the submission, and so
            becomes one submission however often this is asked for.

    Raises:
        SubmissionRefused: too late, too large, too many today, damaged, …; nothing is kept.
    """
    received_at = received_at or clock.now()
    size = file_path.stat().st_size
    check_submission_allowed(team, author, kind=kind, size=size, at=received_at)
    found = _sha256(file_path)
    if sha256 and sha256.strip().lower() != found:
        raise SubmissionRefused(
            f"The file arrived damaged: its SHA-256 is {found}, {sha256.strip().lower()} was "
            "announced. Send it again.",
            status=400,
        )
    identity = uuid.uuid4()
    kept = f"submissions/{identity}.zip"
    keep(file_path, kept)
    try:
        with transaction.atomic():
            Team.objects.select_for_update().get(pk=team.pk)
            team.refresh_from_db()
            check_submission_allowed(team, author, kind=kind, size=size, at=received_at)
            submission = Submission.objects.create(
                id=identity,
                team=team,
                author=author,
                kind=kind,
                received_at=received_at,
                size=size,
                sha256=found,
                original_name=file_name(original_name),
                file=kept,
            )
            Step.objects.bulk_create(
                Step(submission=submission, name=name) for name in steps_of(kind)
            )
            if upload is not None:
                _finish(upload, submission)
    except SubmissionRefused:
        remove(kept)
        raise
    return submission


def _finish(upload: Upload, submission: Submission) -> None:
    if not Upload.objects.filter(pk=upload.pk, finished=None).update(finished=submission):
        raise SubmissionRefused("This upload has become a submission already.", status=409)


def _check_dates(competition: Competition, at: datetime) -> None:
    if at < competition.opens_at:
        raise SubmissionRefused(
            f"Submissions are taken from {formatting.moment(competition.opens_at)}."
        )
    if at > competition.closes_at:
        raise SubmissionRefused(
            f"The deadline was {formatting.moment(competition.closes_at)}; by the server's clock "
            f"this was complete at {formatting.moment(at, seconds=True)}."
        )


def _sha256(path: Path) -> str:
    found = hashlib.sha256()
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            found.update(piece)
    return found.hexdigest()


def file_name(name: str) -> str:
    """The last part of a path, as one line of printable text."""
    last = name.replace("\\", "/").rsplit("/", 1)[-1]
    return "".join(c for c in last if c.isprintable())[:255] or "unnamed.zip"
