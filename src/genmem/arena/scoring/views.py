"""For organisers: scoring again, submissions and new scores. For teams: the whole log of a run."""

from __future__ import annotations

import uuid

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.http import require_POST, require_safe

from genmem.arena.competitions.models import Split, split_in_force
from genmem.arena.scoring.retry import RetryError, retry, retry_anew
from genmem.arena.submissions import storage
from genmem.arena.submissions.models import Submission
from genmem.arena.teams.permissions import get_viewer, require_organiser
from genmem.formatting import count


@login_required
@require_POST
def again(request: HttpRequest, slug: str, pk: uuid.UUID) -> HttpResponse:
    """Have a submission scored again."""
    viewer = require_organiser(request, slug)
    submission = get_object_or_404(Submission, pk=pk, team__competition=viewer.competition)
    try:
        retry(submission, viewer.user)
        messages.success(request, "It is scored again as soon as a worker is free.")
    except RetryError as error:
        messages.error(request, str(error))
    return redirect("submission", slug, pk)


@login_required
@require_POST
def anew_again(request: HttpRequest, slug: str, kind: str) -> HttpResponse:
    """Try once more to make the scores that could not be made anew under a split."""
    viewer = require_organiser(request, slug)
    if kind not in dict(Split.KINDS):
        raise Http404
    split = split_in_force(viewer.competition, kind)
    retried = retry_anew(split, viewer.user) if split is not None else 0
    messages.success(request, f"{count(retried, 'submission')} to be scored anew once more.")
    return redirect("set up split", slug, kind)


@login_required
@require_safe
def log(request: HttpRequest, slug: str, pk: uuid.UUID) -> HttpResponse:
    """What a submission's program printed, as plain text."""
    viewer = get_viewer(request, slug)
    submission = get_object_or_404(Submission, pk=pk, team__competition=viewer.competition)
    if not viewer.may_see_submissions_of(submission.team.pk):
        raise Http404
    try:
        with storage.open_read(log_name(submission)) as kept:
            content = kept.read()
    except FileNotFoundError as error:
        raise Http404 from error
    return HttpResponse(content, content_type="text/plain; charset=utf-8")


def log_name(submission: Submission) -> str:
    """Where the log of a submission's run is kept."""
    return f"logs/{submission.pk}.log"
