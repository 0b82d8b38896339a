"""All routes of the REST API."""

from __future__ import annotations

import uuid
from contextlib import suppress
from typing import Any, cast

from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from ninja import NinjaAPI
from ninja.errors import HttpError, Throttled

from genmem.arena.accounts.models import User
from genmem.arena.api.auth import OptionalAuth, RequiredAuth
from genmem.arena.api.schemas import (
    CompetitionDetail,
    CompetitionSummary,
    ErrorDetail,
    Finals,
    FinalsChoice,
    LeaderboardRow,
    Person,
    SubmissionDetail,
    SubmissionSummary,
    TeamDetail,
    UploadDetail,
    submission_detail_fields,
    submission_fields,
    team_fields,
)
from genmem.arena.competitions.models import Competition, Split
from genmem.arena.core.errors import RuleError
from genmem.arena.leaderboards.finals import choose_finals, finals_of
from genmem.arena.leaderboards.leaderboard import RankedTeam, leaderboard_rows
from genmem.arena.leaderboards.scores import scores_in_force
from genmem.arena.submissions.exceptions import UploadGone
from genmem.arena.submissions.models import Submission, Upload
from genmem.arena.submissions.selectors import visible_submission
from genmem.arena.submissions.uploads import received_bytes
from genmem.arena.teams.models import Team
from genmem.arena.teams.permissions import Viewer, get_viewer

DESCRIPTION = """\
Send a token as `Authorization: Bearer TOKEN`; create one on your account page. Times are UTC, sizes
are bytes. Errors are `{"detail": "…"}`; 429 carries `Retry-After` in seconds. Upload files to a
competition's `uploads` by the tus protocol 1.0, with `Upload-Metadata` of `filename`, `kind`
(images or code) and `sha256`; the last response's `Submission-Location` is the submission.
"""

api = NinjaAPI(
    title="Arena", version="1", description=DESCRIPTION, docs_url=None, urls_namespace="api"
)
_OPTIONAL, _REQUIRED = OptionalAuth(), RequiredAuth()
_ERRORS: Any = dict.fromkeys((401, 403, 404, 409, 429), ErrorDetail)


def _responses(schema: Any) -> Any:
    return {200: schema, **_ERRORS}


@api.exception_handler(Throttled)
def _too_many_requests(request: HttpRequest, error: Throttled) -> HttpResponse:
    detail = f"Too many requests; retry after {error.wait} s."
    response = api.create_response(request, {"detail": detail}, status=429)
    response.headers["Retry-After"] = str(error.wait)
    return response


@api.exception_handler(PermissionDenied)
def _forbidden(request: HttpRequest, error: PermissionDenied) -> HttpResponse:
    return api.create_response(request, {"detail": str(error)}, status=403)


@api.exception_handler(Http404)
def _not_found(request: HttpRequest, error: Http404) -> HttpResponse:
    detail = "There is nothing here, or it belongs to somebody else."
    return api.create_response(request, {"detail": detail}, status=404)


@api.get("/me", auth=_REQUIRED, response=_responses(Person), summary="The owner of the token")
def me(request: HttpRequest) -> Person:
    """Return the owner of the token."""
    user = cast(User, request.user)
    return Person(name=str(user), email=user.email)


@api.get(
    "/competitions",
    auth=_OPTIONAL,
    response=_responses(list[CompetitionSummary]),
    summary="All competitions, the next to close first",
)
def competitions(request: HttpRequest) -> QuerySet[Competition]:
    """List all competitions, the next to close first."""
    return Competition.objects.order_by("closes_at")


@api.get(
    "/competitions/{slug}",
    auth=_OPTIONAL,
    response=_responses(CompetitionDetail),
    summary="A competition's rules and limits, and where to upload files",
)
def competition(request: HttpRequest, slug: str) -> Competition:
    """Return a competition's rules and limits."""
    return get_viewer(request, slug).competition


@api.get(
    "/competitions/{slug}/leaderboards/{kind}",
    auth=_OPTIONAL,
    response=_responses(list[LeaderboardRow]),
    summary="The public leaderboard, or the private one once it is open",
)
def leaderboard(request: HttpRequest, slug: str, kind: str) -> list[RankedTeam]:
    """Return the public leaderboard, or the private one to those who may see it."""
    viewer = get_viewer(request, slug)
    if kind not in dict(Split.KINDS):
        raise Http404
    if kind == "private" and not viewer.sees_private:
        raise PermissionDenied("The private leaderboard is hidden until the organizer opens it.")
    return leaderboard_rows(viewer.competition, kind)


@api.get(
    "/competitions/{slug}/team",
    auth=_REQUIRED,
    response=_responses(TeamDetail),
    summary="Your team, and its submissions left today",
)
def team(request: HttpRequest, slug: str) -> dict[str, Any]:
    """Return the caller's team, and its submissions left today."""
    return team_fields(_member(request, slug)[1])


@api.get(
    "/competitions/{slug}/uploads",
    auth=_REQUIRED,
    response=_responses(list[UploadDetail]),
    summary="Your unfinished uploads, which can be resumed",
)
def uploads(request: HttpRequest, slug: str) -> list[Upload]:
    """List the caller's unfinished uploads, newest first."""
    _, team, user = _member(request, slug)
    unfinished = Upload.objects.filter(author=user, team=team, finished=None)
    existing = []
    for upload in unfinished.select_related("team__competition").order_by("-created_at"):
        with suppress(UploadGone):
            received_bytes(upload)
            existing.append(upload)
    return existing


@api.get(
    "/competitions/{slug}/submissions",
    auth=_REQUIRED,
    response=_responses(list[SubmissionSummary]),
    summary="Your team's submissions, newest first",
)
def submissions(request: HttpRequest, slug: str) -> list[dict[str, Any]]:
    """List the team's submissions, newest first."""
    viewer, team, _ = _member(request, slug)
    rows = list(
        Submission.objects.filter(team=team).select_related("author").order_by("-received_at")
    )
    scores = scores_in_force(rows, private=viewer.sees_private)
    return [submission_fields(viewer, row, scores.get(row.pk, {})) for row in rows]


@api.get(
    "/competitions/{slug}/submissions/{number}",
    auth=_REQUIRED,
    response=_responses(SubmissionDetail),
    summary="One submission, its steps and scores",
)
def submission(request: HttpRequest, slug: str, number: uuid.UUID) -> dict[str, Any]:
    """Return one submission, its steps and scores."""
    viewer = get_viewer(request, slug)
    row = visible_submission(viewer, number)
    scores = scores_in_force([row], private=viewer.sees_private)
    return submission_detail_fields(viewer, row, scores.get(row.pk, {}))


@api.get(
    "/competitions/{slug}/finals",
    auth=_REQUIRED,
    response=_responses(Finals),
    summary="Your team's final submissions",
)
def finals(request: HttpRequest, slug: str) -> Finals:
    """Return the submissions that stand for the team on the private leaderboard."""
    return _finals(_member(request, slug)[1])


@api.put(
    "/competitions/{slug}/finals",
    auth=_REQUIRED,
    response=_responses(Finals),
    summary="Choose the final submissions, until the deadline",
)
def choose(request: HttpRequest, slug: str, choice: FinalsChoice) -> Finals:
    """Choose the team's final submissions, until the deadline."""
    _, team, user = _member(request, slug)
    try:
        choose_finals(team, user, choice.submissions)
    except RuleError as error:
        raise HttpError(409, str(error)) from error
    return _finals(team)


def _member(request: HttpRequest, slug: str) -> tuple[Viewer, Team, User]:
    viewer = get_viewer(request, slug)
    if viewer.team is None or viewer.user is None:
        raise HttpError(404, "You are not in a team of this competition.")
    return viewer, viewer.team, viewer.user


def _finals(team: Team) -> Finals:
    submissions, chosen = finals_of(team)
    return Finals(
        submissions=sorted(submissions), chosen=chosen, limit=team.competition.final_count
    )
