"""Every route of the programming interface."""

from __future__ import annotations

import uuid
from typing import Any, cast

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from ninja import NinjaAPI
from ninja.errors import HttpError, Throttled

from genmem.arena.accounts.models import User
from genmem.arena.api.auth import Anybody, Known
from genmem.arena.api.schemas import (
    CompetitionAnswer,
    CompetitionLine,
    FinalsAnswer,
    FinalsChoice,
    Person,
    Refusal,
    RowAnswer,
    SubmissionAnswer,
    SubmissionLine,
    TeamAnswer,
    UploadAnswer,
    competition_answer,
    competition_line,
    row_answer,
    submission_answer,
    submission_line,
    team_answer,
    upload_answer,
)
from genmem.arena.competitions.models import Competition, Split
from genmem.arena.leaderboards.finals import FinalsError, choose_finals, finals_of
from genmem.arena.leaderboards.leaderboard import board
from genmem.arena.leaderboards.scores import scores_in_force
from genmem.arena.submissions.models import Submission, Upload
from genmem.arena.submissions.uploads import UploadGone
from genmem.arena.teams.models import Team
from genmem.arena.teams.permissions import Viewer, get_viewer

DESCRIPTION = """\
Send a token as `Authorization: Bearer TOKEN`; make one on your account's page. Times are UTC, sizes
are bytes. Refusals are `{"detail": "…"}`; 429 carries `Retry-After` in seconds. Files are sent to a
competition's `uploads` by the tus protocol 1.0, with `Upload-Metadata` of `filename`, `kind`
(images or code) and `sha256`; the last answer's `Submission-Location` is the submission.
"""

api = NinjaAPI(
    title="Arena", version="1", description=DESCRIPTION, docs_url=None, urls_namespace="api"
)
_OPEN, _KNOWN = Anybody(), Known()
_REFUSALS: Any = dict.fromkeys((401, 403, 404, 409, 429), Refusal)


def _answers(schema: Any) -> Any:
    return {200: schema, **_REFUSALS}


@api.exception_handler(Throttled)
def _too_many(request: HttpRequest, error: Throttled) -> HttpResponse:
    detail = f"Too many requests; come back in {error.wait} s."
    answer = api.create_response(request, {"detail": detail}, status=429)
    answer.headers["Retry-After"] = str(error.wait)
    return answer


@api.exception_handler(PermissionDenied)
def _forbidden(request: HttpRequest, error: PermissionDenied) -> HttpResponse:
    return api.create_response(request, {"detail": str(error)}, status=403)


@api.exception_handler(Http404)
def _missing(request: HttpRequest, error: Http404) -> HttpResponse:
    detail = "There is nothing here, or it belongs to somebody else."
    return api.create_response(request, {"detail": detail}, status=404)


@api.get("/me", auth=_KNOWN, response=_answers(Person), summary="Whom the token speaks for")
def me(request: HttpRequest) -> Person:
    """Whom the token speaks for."""
    user = cast(User, request.user)
    return Person(name=str(user), email=user.email)


@api.get(
    "/competitions",
    auth=_OPEN,
    response=_answers(list[CompetitionLine]),
    summary="Every competition, the next to close first",
)
def competitions(request: HttpRequest) -> list[CompetitionLine]:
    """Every competition, the next to close first."""
    return [competition_line(one) for one in Competition.objects.order_by("closes_at")]


@api.get(
    "/competitions/{slug}",
    auth=_OPEN,
    response=_answers(CompetitionAnswer),
    summary="A competition's rules and limits, and where files are sent",
)
def competition(request: HttpRequest, slug: str) -> CompetitionAnswer:
    """A competition's rules and limits."""
    return competition_answer(get_viewer(request, slug).competition)


@api.get(
    "/competitions/{slug}/boards/{kind}",
    auth=_OPEN,
    response=_answers(list[RowAnswer]),
    summary="The public board, or the private one where it may be seen",
)
def one_board(request: HttpRequest, slug: str, kind: str) -> list[RowAnswer]:
    """The public board, or the private one where it may be seen."""
    viewer = get_viewer(request, slug)
    if kind not in dict(Split.KINDS):
        raise Http404
    if kind == "private" and not viewer.sees_private:
        raise PermissionDenied("The private board is hidden until the organiser opens it.")
    return [row_answer(row) for row in board(viewer.competition, kind)]


@api.get(
    "/competitions/{slug}/team",
    auth=_KNOWN,
    response=_answers(TeamAnswer),
    summary="My team, and how many submissions it has left today",
)
def team(request: HttpRequest, slug: str) -> TeamAnswer:
    """My team, and how many submissions it has left today."""
    return team_answer(_member(request, slug)[1])


@api.get(
    "/competitions/{slug}/uploads",
    auth=_KNOWN,
    response=_answers(list[UploadAnswer]),
    summary="My files on their way, which can be resumed",
)
def uploads(request: HttpRequest, slug: str) -> list[UploadAnswer]:
    """My files on their way, newest first."""
    _, team, user = _member(request, slug)
    mine = Upload.objects.filter(author=user, team=team, finished=None)
    found = []
    for one in mine.select_related("team__competition").order_by("-created_at"):
        try:
            found.append(upload_answer(one))
        except UploadGone:
            continue
    return found


@api.get(
    "/competitions/{slug}/submissions",
    auth=_KNOWN,
    response=_answers(list[SubmissionLine]),
    summary="My team's submissions, newest first",
)
def submissions(request: HttpRequest, slug: str) -> list[SubmissionLine]:
    """My team's submissions, newest first."""
    viewer, team, _ = _member(request, slug)
    found = list(
        Submission.objects.filter(team=team).select_related("author").order_by("-received_at")
    )
    scores = scores_in_force(found, private=viewer.sees_private)
    return [submission_line(viewer, one, scores.get(one.pk, {})) for one in found]


@api.get(
    "/competitions/{slug}/submissions/{number}",
    auth=_KNOWN,
    response=_answers(SubmissionAnswer),
    summary="One submission, its steps and scores",
)
def submission(request: HttpRequest, slug: str, number: uuid.UUID) -> SubmissionAnswer:
    """One submission, its steps and scores."""
    viewer = get_viewer(request, slug)
    found = get_object_or_404(
        Submission.objects.select_related("team", "author"),
        pk=number,
        team__competition=viewer.competition,
    )
    if not viewer.may_see_submissions_of(found.team.pk):
        raise Http404
    scores = scores_in_force([found], private=viewer.sees_private)
    return submission_answer(viewer, found, scores.get(found.pk, {}))


@api.get(
    "/competitions/{slug}/finals",
    auth=_KNOWN,
    response=_answers(FinalsAnswer),
    summary="Which submissions stand for my team on the private board",
)
def finals(request: HttpRequest, slug: str) -> FinalsAnswer:
    """Which submissions stand for my team on the private board."""
    return _finals(_member(request, slug)[1])


@api.put(
    "/competitions/{slug}/finals",
    auth=_KNOWN,
    response=_answers(FinalsAnswer),
    summary="Choose them, until the deadline",
)
def choose(request: HttpRequest, slug: str, choice: FinalsChoice) -> FinalsAnswer:
    """Choose them, until the deadline."""
    _, team, user = _member(request, slug)
    try:
        choose_finals(team, user, choice.submissions)
    except FinalsError as error:
        raise HttpError(409, str(error)) from error
    return _finals(team)


def _member(request: HttpRequest, slug: str) -> tuple[Viewer, Team, User]:
    viewer = get_viewer(request, slug)
    if viewer.team is None or viewer.user is None:
        raise HttpError(404, "You are in no team of this competition.")
    return viewer, viewer.team, viewer.user


def _finals(team: Team) -> FinalsAnswer:
    standing, chosen = finals_of(team)
    return FinalsAnswer(
        submissions=sorted(standing), chosen=chosen, at_most=team.competition.final_count
    )
