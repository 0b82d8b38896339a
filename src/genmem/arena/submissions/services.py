"""The rules for submissions, which every way of uploading goes through.

    check_submission_allowed(team, author, kind=…, size=…)   before the upload: refuse early
    receive(path, team=…, …)                                 after the last byte: this decides

A submission is in time if its last byte arrived by the deadline, by the server's clock. An upload
becomes one submission or none: the file is stored first, then the row that names it is written.
`remove_orphans` later removes the file where a crash (or a commit whose result was lost) came
between the two.
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
from genmem.arena.submissions.exceptions import SubmissionRefused
from genmem.arena.submissions.models import Step, Submission, Upload, steps_of
from genmem.arena.submissions.storage import remove, store_file
from genmem.arena.teams.models import Membership, Team


@dataclass(frozen=True, kw_only=True)
class Allowance:
    """How many submissions a team has used today, and when the next day begins."""

    used: int
    limit: int
    renewed_at: datetime

    @property
    def left(self) -> int:
        """How many more are accepted today."""
        return max(0, self.limit - self.used)


def allowance(team: Team, at: datetime | None = None) -> Allowance:
    """Count the team's submissions of the UTC day of `at` (None: today).

    Submissions that a member sent for another team of this competition count too, so that changing
    teams gains nothing.
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
    """Check that a submission would be accepted.

    Args:
        team: whose submission it is.
        author: the member who uploads.
        kind: "images" or "code".
        size: of the file, in bytes.
        at: when its last byte arrives; None means now.

    Raises:
        SubmissionRefused: it would not be accepted; the message says why.
    """
    at = at or clock.now()
    competition = team.competition
    if not Membership.objects.filter(team=team, user=author).exists():
        raise SubmissionRefused(f"You are not in the team {team.name}.")
    _check_dates(competition, at)
    accepted = {"images": competition.accepts_images, "code": competition.accepts_code}
    if not accepted.get(kind, False):
        expected = " and ".join(name for name, is_accepted in accepted.items() if is_accepted)
        raise SubmissionRefused(f"This competition accepts {expected}, not {kind}.", status=400)
    if size > competition.maximum_upload_bytes:
        raise SubmissionRefused(
            f"The file has {formatting.size(size)} ({size:,} bytes); the limit is "
            f"{formatting.size(competition.maximum_upload_bytes)}.",
            status=413,
        )
    if size <= 0:
        raise SubmissionRefused("The file is empty.", status=400)
    today = allowance(team, at)
    if today.left == 0:
        raise SubmissionRefused(
            f"{today.used} of {today.limit} submissions of today are used; the next is accepted "
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
    """Turn a complete upload into a submission in the state "received", with its steps waiting.

    Args:
        file_path: the file; it is left in place, and may be deleted afterwards.
        team: whose submission it is.
        author: the member who uploaded it.
        kind: "images" or "code".
        original_name: file name on the author's machine.
        sha256: announced hash, in hexadecimal; "" checks nothing.
        received_at: when its last byte arrived, by the server's clock; None means now.
        upload: the upload it comes from. It is marked as finished in the same transaction, so it
            becomes one submission however often this is called.

    Raises:
        SubmissionRefused: too late, too large, too many today, damaged, …; nothing is kept.
    """
    received_at = received_at or clock.now()
    size = file_path.stat().st_size
    check_submission_allowed(team, author, kind=kind, size=size, at=received_at)
    digest = _checked_sha256(file_path, announced=sha256.strip().lower())
    pk = uuid.uuid4()
    stored_name = f"submissions/{pk}.zip"
    store_file(file_path, stored_name)
    try:
        with transaction.atomic():
            Team.objects.select_for_update().get(pk=team.pk)
            team.refresh_from_db()
            check_submission_allowed(team, author, kind=kind, size=size, at=received_at)
            submission = Submission.objects.create(
                id=pk,
                team=team,
                author=author,
                kind=kind,
                received_at=received_at,
                size=size,
                sha256=digest,
                original_name=file_name(original_name),
                file=stored_name,
            )
            Step.objects.bulk_create(
                Step(submission=submission, name=name) for name in steps_of(kind)
            )
            if upload is not None:
                _finish(upload, submission)
    except SubmissionRefused:
        remove(stored_name)
        raise
    return submission


def _finish(upload: Upload, submission: Submission) -> None:
    if not Upload.objects.filter(pk=upload.pk, finished=None).update(finished=submission):
        raise SubmissionRefused("This upload is already a submission.", status=409)


def _check_dates(competition: Competition, at: datetime) -> None:
    if at < competition.opens_at:
        raise SubmissionRefused(f"Submissions open at {formatting.moment(competition.opens_at)}.")
    if at > competition.closes_at:
        raise SubmissionRefused(
            f"The deadline was {formatting.moment(competition.closes_at)}; by the server's clock "
            f"the upload was complete at {formatting.moment(at, seconds=True)}."
        )


def _checked_sha256(path: Path, *, announced: str) -> str:
    """The hash of a file, in hexadecimal; refused if another one was announced ("": none)."""
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if announced and announced != digest:
        raise SubmissionRefused(
            f"The file arrived damaged: expected SHA-256 {announced}, got {digest}. Send it again.",
            status=400,
        )
    return digest


def file_name(name: str) -> str:
    """Return the last part of a path, as one line of printable text."""
    last = name.replace("\\", "/").rsplit("/", 1)[-1]
    return "".join(c for c in last if c.isprintable())[:255] or "unnamed.zip"
