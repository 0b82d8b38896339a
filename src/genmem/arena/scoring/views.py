"""For organizers: retrying submissions and rescores. For teams: the whole log of a run."""

from __future__ import annotations

import uuid

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.http import require_POST, require_safe

from genmem.arena.competitions.models import Split, split_in_force
from genmem.arena.scoring.retry import retry_rescores, retry_submission
from genmem.arena.scoring.stored_names import log_name
from genmem.arena.submissions import storage
from genmem.arena.submissions.models import Submission
from genmem.arena.submissions.selectors import visible_submission
from genmem.arena.teams.permissions import get_viewer, require_organizer
from genmem.errors import UsageError
from genmem.formatting import count


@login_required
@require_POST
def retry(request: HttpRequest, slug: str, pk: uuid.UUID) -> HttpResponse:
    """Have a refused or failed submission scored again."""
    viewer = require_organizer(request, slug)
    submission = get_object_or_404(Submission, pk=pk, team__competition=viewer.competition)
    try:
        retry_submission(submission, viewer.user)
        messages.success(request, "It is scored again as soon as a worker is free.")
    except UsageError as error:
        messages.error(request, str(error))
    return redirect("submission", slug, pk)


@login_required
@require_POST
def retry_failed_rescores(request: HttpRequest, slug: str, kind: str) -> HttpResponse:
    """Queue the failed rescores of a split again."""
    viewer = require_organizer(request, slug)
    if kind not in dict(Split.KINDS):
        raise Http404
    split = split_in_force(viewer.competition, kind)
    rescores = 0 if split is None else retry_rescores(split, viewer.user)
    messages.success(request, f"{count(rescores, 'submission')} queued for scoring again.")
    return redirect("set up split", slug, kind)


@login_required
@require_safe
def run_log(request: HttpRequest, slug: str, pk: uuid.UUID) -> HttpResponse:
    """The output of a submission's program, as plain text."""
    viewer = get_viewer(request, slug)
    submission = visible_submission(viewer, pk)
    try:
        with storage.open_read(log_name(submission)) as file:
            content = file.read()
    except FileNotFoundError as error:
        raise Http404 from error
    return HttpResponse(content, content_type="text/plain; charset=utf-8")
