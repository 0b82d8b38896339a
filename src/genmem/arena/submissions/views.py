"""My submissions, one of them, and sending another."""

from __future__ import annotations

import uuid
from pathlib import Path
from typing import cast

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.files.uploadedfile import TemporaryUploadedFile
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_http_methods, require_safe

from genmem.arena.accounts.models import User
from genmem.arena.leaderboards.scores import scores_in_force
from genmem.arena.submissions.forms import SubmissionForm
from genmem.arena.submissions.models import Step, Submission, steps_of
from genmem.arena.submissions.services import Refused, allowance, check_welcome, receive
from genmem.arena.submissions.upload_handler import LimitedUpload
from genmem.arena.teams.access import Viewer, visit, visit_as_member
from genmem.arena.teams.models import Team

_FORM_BYTES = 2**16
"""What a form takes beside its file."""


@login_required
@require_safe
def mine(request: HttpRequest, slug: str) -> HttpResponse:
    """Every submission of my team, newest first, with its scores."""
    viewer = visit(request, slug)
    if viewer.team is None:
        return redirect("team", slug)
    found = list(
        Submission.objects.filter(team=viewer.team)
        .select_related("author", "final")
        .order_by("-received_at")
    )
    scores = scores_in_force(found, private=viewer.sees_private)
    return render(
        request,
        "submissions/mine.html",
        {
            "viewer": viewer,
            "rows": [(one, scores.get(one.pk, {})) for one in found],
            "allowance": allowance(viewer.team),
            "under_way": any(one.state in ("received", "scoring") for one in found),
        },
    )


@login_required
@require_safe
def one(request: HttpRequest, slug: str, pk: uuid.UUID) -> HttpResponse:
    """One submission, its steps and its scores; for its team, and for reviewers."""
    viewer = visit(request, slug)
    submission = get_object_or_404(
        Submission.objects.select_related("team", "author"),
        pk=pk,
        team__competition=viewer.competition,
    )
    if not viewer.may_see_submissions_of(submission.team.pk):
        raise Http404
    return render(
        request,
        "submissions/one.html",
        {
            "viewer": viewer,
            "submission": submission,
            "steps": shown_steps(viewer, submission),
            "scores": scores_in_force([submission], private=viewer.sees_private).get(
                submission.pk, {}
            ),
            "under_way": submission.state in ("received", "scoring"),
        },
    )


@csrf_exempt  # the inner view is protected, after the upload's limit is set
@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def new(request: HttpRequest, slug: str) -> HttpResponse:
    """Send a submission."""
    viewer = visit(request, slug)
    if viewer.team is None:
        return redirect("team", slug)
    handler = LimitedUpload(viewer.competition.maximum_upload_bytes)
    request.upload_handlers = [handler]
    return _new(request, slug, handler)


@csrf_protect
def _new(request: HttpRequest, slug: str, handler: LimitedUpload) -> HttpResponse:
    viewer, team, user = visit_as_member(request, slug)
    if request.method == "POST":
        return _send(request, viewer, team, user, handler)
    return _page(request, viewer, team, SubmissionForm(competition=viewer.competition))


def _send(
    request: HttpRequest, viewer: Viewer, team: Team, user: User, handler: LimitedUpload
) -> HttpResponse:
    form = SubmissionForm(request.POST, request.FILES, competition=viewer.competition)
    try:
        if handler.too_large:
            size = max(int(request.META.get("CONTENT_LENGTH") or 0) - _FORM_BYTES, handler.received)
            check_welcome(team, user, kind=str(form.data.get("kind")), size=size)
        if not form.is_valid():
            return _page(request, viewer, team, form, status=400)
        upload = cast(TemporaryUploadedFile, form.cleaned_data["file"])
        submission = receive(
            Path(upload.temporary_file_path()),
            team=team,
            author=user,
            kind=form.cleaned_data["kind"],
            original_name=upload.name or "",
            sha256=form.cleaned_data["sha256"],
        )
    except Refused as error:
        form.add_error(None, str(error))
        return _page(request, viewer, team, form, status=error.status)
    messages.success(request, "Received. It is scored as soon as a worker is free.")
    return redirect("submission", viewer.competition.slug, submission.pk)


def _page(
    request: HttpRequest, viewer: Viewer, team: Team, form: SubmissionForm, status: int = 200
) -> HttpResponse:
    return render(
        request,
        "submissions/new.html",
        {"viewer": viewer, "form": form, "allowance": allowance(team)},
        status=status,
    )


def shown_steps(viewer: Viewer, submission: Submission) -> list[Step]:
    """All steps in order; the logs of private ones are kept from those who may not see them."""
    found = {step.name: step for step in Step.objects.filter(submission=submission)}
    steps = [
        found.get(name) or Step(submission=submission, name=name)
        for name in steps_of(submission.kind)
    ]
    for step in steps:
        if step.name.startswith("private") and not viewer.sees_private:
            step.log = ""
    return steps
