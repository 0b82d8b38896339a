"""The JSON that the routes return. Routes return model rows or dicts; schemas read their fields."""

from __future__ import annotations

import math
import uuid
from datetime import datetime
from typing import Annotated, Any

from django.urls import reverse
from ninja import Schema
from pydantic import BeforeValidator, Field

from genmem.arena.competitions.models import Competition
from genmem.arena.leaderboards.disqualification import current_decision
from genmem.arena.leaderboards.leaderboard import RankedTeam
from genmem.arena.leaderboards.models import ScoreVersion
from genmem.arena.submissions.models import Submission, Upload
from genmem.arena.submissions.selectors import visible_steps
from genmem.arena.submissions.services import allowance
from genmem.arena.submissions.uploads import received_bytes
from genmem.arena.teams.models import Membership, Team
from genmem.arena.teams.permissions import Viewer

MAX_FINALS = 1_000
"""Entries of a choice of finals that are read; a competition's own limit is lower."""

Finite = Annotated[
    float | None,
    BeforeValidator(lambda value: value if value is not None and math.isfinite(value) else None),
]
"""A number; null where there is none, or where it is not finite."""


class ErrorDetail(Schema):
    """Why a request was refused."""

    detail: str


class Person(Schema):
    """The owner of the token."""

    name: str
    email: str


class CompetitionSummary(Schema):
    """A competition in a list. `phase`: upcoming, open or closed, by the server's clock."""

    slug: str
    title: str
    phase: str
    opens_at: datetime
    closes_at: datetime

    @staticmethod
    def resolve_phase(competition: Competition) -> str:
        """Compute the phase now."""
        return competition.phase()


class CompetitionDetail(CompetitionSummary):
    """A competition and its limits. `uploads`: where files are uploaded by the tus protocol."""

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

    @staticmethod
    def resolve_kinds(competition: Competition) -> list[str]:
        """List what the competition accepts."""
        accepted = (("images", competition.accepts_images), ("code", competition.accepts_code))
        return [kind for kind, is_accepted in accepted if is_accepted]

    @staticmethod
    def resolve_uploads(competition: Competition) -> str:
        """Return the path of the tus endpoint."""
        return reverse("uploads", args=[competition.slug])


class Member(Schema):
    """A member of a team."""

    name: str
    captain: bool

    @staticmethod
    def resolve_name(membership: Membership) -> str:
        """Return the member's name."""
        return str(membership.user)


class TeamDetail(Schema):
    """The caller's team, and its submissions left today (UTC)."""

    name: str
    members: list[Member]
    used_today: int
    left_today: int
    renewed_at: datetime


class UploadDetail(Schema):
    """An unfinished upload. `sha256` is "" where none was announced."""

    id: uuid.UUID
    address: str
    kind: str
    original_name: str
    sha256: str
    length: int
    offset: int
    expires_at: datetime

    @staticmethod
    def resolve_address(upload: Upload) -> str:
        """Return the path of the upload."""
        return reverse("upload", args=[upload.team.competition.slug, upload.pk])

    @staticmethod
    def resolve_offset(upload: Upload) -> int:
        """Return the number of bytes on disk."""
        return received_bytes(upload)


class Score(Schema):
    """A score in force; null means N/A. `standing`: "", penalized or replay of the training set."""

    score: Finite
    fd: Finite
    distance: Finite
    standing: str
    tau: float
    backbone: str
    made_at: datetime

    @staticmethod
    def resolve_standing(version: ScoreVersion) -> str:
        """Return the standing in words."""
        return version.standing.label


class StepDetail(Schema):
    """A step of scoring. `state`: waiting, running, done or failed."""

    name: str
    state: str
    started_at: datetime | None
    ended_at: datetime | None
    log: str


class SubmissionSummary(Schema):
    """A submission. `state`: received, scoring, scored, refused, failed. `page`: its HTML page."""

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
    scores: dict[str, Score]
    page: str


class SubmissionDetail(SubmissionSummary):
    """A submission with its steps; `disqualified` is the reason, or null."""

    steps: list[StepDetail]
    disqualified: str | None


class LeaderboardRow(Schema):
    """A team's place on a leaderboard. `standing`: of its score, as in `Score`."""

    rank: int | None
    team: str
    score: Finite
    standing: str
    received_at: datetime
    submissions: int

    @staticmethod
    def resolve_standing(row: RankedTeam) -> str:
        """Return the standing in words."""
        return row.standing.label

    @staticmethod
    def resolve_team(row: RankedTeam) -> str:
        """Return the team's name."""
        return row.name


class Finals(Schema):
    """A team's final submissions; `chosen` is false where they are the default."""

    submissions: list[uuid.UUID]
    chosen: bool
    limit: int


class FinalsChoice(Schema):
    """The final submissions to choose; an empty list restores the default."""

    submissions: list[uuid.UUID] = Field(max_length=MAX_FINALS)


def team_fields(team: Team) -> dict[str, Any]:
    """Return the fields of `TeamDetail`."""
    today = allowance(team)
    return {
        "name": team.name,
        "members": Membership.objects.filter(team=team).select_related("user").order_by("pk"),
        "used_today": today.used,
        "left_today": today.left,
        "renewed_at": today.renewed_at,
    }


def submission_fields(
    viewer: Viewer, submission: Submission, scores: dict[str, ScoreVersion]
) -> dict[str, Any]:
    """Return the fields of `SubmissionSummary`; `scores` are those that the viewer may see."""
    stored = SubmissionSummary.model_fields.keys() - {"author", "scores", "page"}
    return {
        **{name: getattr(submission, name) for name in stored},
        "author": str(submission.author),
        "scores": scores,
        "page": reverse("submission", args=[viewer.competition.slug, submission.pk]),
    }


def submission_detail_fields(
    viewer: Viewer, submission: Submission, scores: dict[str, ScoreVersion]
) -> dict[str, Any]:
    """Return the fields of `SubmissionDetail`, with the step logs that the viewer may see."""
    decision = current_decision(submission)
    return {
        **submission_fields(viewer, submission, scores),
        "steps": visible_steps(viewer, submission),
        "disqualified": decision.reason if decision and decision.kind == "disqualified" else None,
    }
