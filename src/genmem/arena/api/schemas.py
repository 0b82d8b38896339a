"""What the routes answer with."""

from __future__ import annotations

import math
import uuid
from datetime import datetime

from django.urls import reverse
from ninja import Schema

from genmem.arena.competitions.models import Competition
from genmem.arena.leaderboards.disqualification import current_decision
from genmem.arena.leaderboards.leaderboard import Row
from genmem.arena.leaderboards.models import ScoreVersion
from genmem.arena.submissions.models import Submission, Upload
from genmem.arena.submissions.selectors import visible_steps
from genmem.arena.submissions.services import allowance
from genmem.arena.submissions.uploads import reached
from genmem.arena.teams.models import Membership, Team
from genmem.arena.teams.permissions import Viewer


class Refusal(Schema):
    """Why something is not done."""

    detail: str


class Person(Schema):
    """Whom the token speaks for."""

    name: str
    email: str


class CompetitionLine(Schema):
    """A competition in a list. `phase`: upcoming, open or closed, by the server's clock."""

    slug: str
    title: str
    phase: str
    opens_at: datetime
    closes_at: datetime


class CompetitionAnswer(CompetitionLine):
    """A competition and its limits. `uploads`: where files are sent, by the tus protocol."""

    rules: str
    kinds: list[str]
    image_count: int
    image_width: int
    image_height: int
    image_formats: list[str]
    maximum_upload_bytes: int
    daily_limit: int
    final_count: int
    wall_seconds: int
    memory_bytes: int
    merge_until: datetime
    private_open: bool
    uploads: str


class Member(Schema):
    """Somebody in a team."""

    name: str
    captain: bool


class TeamAnswer(Schema):
    """My team, and what it has left today (UTC)."""

    name: str
    members: list[Member]
    used_today: int
    left_today: int
    renewed_at: datetime


class UploadAnswer(Schema):
    """A file on its way. `sha256` is "" where none was announced."""

    id: uuid.UUID
    address: str
    kind: str
    original_name: str
    sha256: str
    length: int
    offset: int
    expires_at: datetime


class ScoreAnswer(Schema):
    """A score in force; null is N/A."""

    score: float | None
    fd: float | None
    distance: float | None
    tau: float
    backbone: str
    made_at: datetime


class StepAnswer(Schema):
    """A step of scoring. `state`: waiting, running, done or failed."""

    name: str
    state: str
    started_at: datetime | None
    ended_at: datetime | None
    log: str


class SubmissionLine(Schema):
    """A submission. `state`: received, scoring, scored, refused or failed. `page`: of the site."""

    id: uuid.UUID
    kind: str
    original_name: str
    author: str
    received_at: datetime
    size: int
    sha256: str
    state: str
    message: str
    counts_against_limit: bool
    scores: dict[str, ScoreAnswer]
    page: str


class SubmissionAnswer(SubmissionLine):
    """A submission with its steps; `disqualified` is the reason, where it is so."""

    steps: list[StepAnswer]
    disqualified: str | None


class RowAnswer(Schema):
    """A team's place on a board."""

    rank: int | None
    team: str
    score: float | None
    received_at: datetime
    submissions: int


class FinalsAnswer(Schema):
    """The submissions that stand on the private board; `chosen`: by the team, not by default."""

    submissions: list[uuid.UUID]
    chosen: bool
    at_most: int


class FinalsChoice(Schema):
    """What is to stand; none leaves the default."""

    submissions: list[uuid.UUID]


def competition_line(one: Competition) -> CompetitionLine:
    """As in a list."""
    return CompetitionLine(
        slug=one.slug,
        title=one.title,
        phase=one.phase(),
        opens_at=one.opens_at,
        closes_at=one.closes_at,
    )


def competition_answer(one: Competition) -> CompetitionAnswer:
    """In full."""
    taken = (("images", one.accepts_images), ("code", one.accepts_code))
    return CompetitionAnswer(
        **competition_line(one).dict(),
        rules=one.rules,
        kinds=[kind for kind, accepted in taken if accepted],
        image_count=one.image_count,
        image_width=one.image_width,
        image_height=one.image_height,
        image_formats=one.image_formats,
        maximum_upload_bytes=one.maximum_upload_bytes,
        daily_limit=one.daily_limit,
        final_count=one.final_count,
        wall_seconds=one.wall_seconds,
        memory_bytes=one.memory_bytes,
        merge_until=one.merge_until,
        private_open=one.private_open,
        uploads=reverse("uploads", args=[one.slug]),
    )


def team_answer(team: Team) -> TeamAnswer:
    """A team, for its members."""
    today = allowance(team)
    members = Membership.objects.filter(team=team).select_related("user").order_by("pk")
    return TeamAnswer(
        name=team.name,
        members=[Member(name=str(one.user), captain=one.captain) for one in members],
        used_today=today.used,
        left_today=today.left,
        renewed_at=today.renewed_at,
    )


def upload_answer(upload: Upload) -> UploadAnswer:
    """How far a file got."""
    return UploadAnswer(
        id=upload.pk,
        address=reverse("upload", args=[upload.team.competition.slug, upload.pk]),
        kind=upload.kind,
        original_name=upload.original_name,
        sha256=upload.sha256,
        length=upload.length,
        offset=reached(upload),
        expires_at=upload.expires_at,
    )


def submission_line(
    viewer: Viewer, one: Submission, scores: dict[str, ScoreVersion]
) -> SubmissionLine:
    """As in a list."""
    return SubmissionLine(
        id=one.pk,
        kind=one.kind,
        original_name=one.original_name,
        author=str(one.author),
        received_at=one.received_at,
        size=one.size,
        sha256=one.sha256,
        state=one.state,
        message=one.message,
        counts_against_limit=one.counts_against_limit,
        scores={kind: score_answer(version) for kind, version in scores.items()},
        page=reverse("submission", args=[viewer.competition.slug, one.pk]),
    )


def submission_answer(
    viewer: Viewer, one: Submission, scores: dict[str, ScoreVersion]
) -> SubmissionAnswer:
    """In full: its steps too, with the logs that the viewer may see."""
    steps = [
        StepAnswer(
            name=step.name,
            state=step.state,
            started_at=step.started_at,
            ended_at=step.ended_at,
            log=step.log,
        )
        for step in visible_steps(viewer, one)
    ]
    decision = current_decision(one)
    gone = decision is not None and decision.kind == "disqualified"
    return SubmissionAnswer(
        **submission_line(viewer, one, scores).dict(),
        steps=steps,
        disqualified=decision.reason if decision and gone else None,
    )


def score_answer(version: ScoreVersion) -> ScoreAnswer:
    """A score; what is not a number is null."""
    return ScoreAnswer(
        score=_number(version.score),
        fd=_number(version.fd),
        distance=_number(version.distance),
        tau=version.tau,
        backbone=version.backbone,
        made_at=version.made_at,
    )


def row_answer(row: Row) -> RowAnswer:
    """A place on a board."""
    return RowAnswer(
        rank=row.rank,
        team=row.name,
        score=_number(row.score),
        received_at=row.received_at,
        submissions=row.submissions,
    )


def _number(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
