"""The page that uploads a submission."""

from __future__ import annotations

from pathlib import Path
from typing import cast

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.files.uploadedfile import TemporaryUploadedFile
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.csrf import csrf_exempt, csrf_protect
from django.views.decorators.http import require_http_methods

from genmem.arena.accounts.models import User
from genmem.arena.submissions.exceptions import SubmissionRefused
from genmem.arena.submissions.forms import SubmissionForm
from genmem.arena.submissions.services import allowance, check_submission_allowed, receive
from genmem.arena.submissions.upload_handler import LimitedUpload
from genmem.arena.teams.models import Team
from genmem.arena.teams.permissions import Viewer, get_viewer, require_member

_FORM_BYTES = 2**16
"""Size of the form's other fields, at most."""


@csrf_exempt  # the inner view is protected, after the upload's limit is set
@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def new(request: HttpRequest, slug: str) -> HttpResponse:
    """Upload a submission by a plain form."""
    viewer = get_viewer(request, slug)
    if viewer.team is None:
        return redirect("team", slug)
    handler = LimitedUpload(viewer.competition.maximum_upload_bytes)
    request.upload_handlers = [handler]
    return _new(request, slug, handler)


@csrf_protect
def _new(request: HttpRequest, slug: str, handler: LimitedUpload) -> HttpResponse:
    viewer, team, user = require_member(request, slug)
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
            check_submission_allowed(team, user, kind=str(form.data.get("kind")), size=size)
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
    except SubmissionRefused as error:
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
