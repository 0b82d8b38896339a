"""A team's submissions, and one submission."""

from __future__ import annotations

import uuid

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_safe

from genmem.arena.leaderboards.scores import scores_in_force
from genmem.arena.submissions.models import Submission
from genmem.arena.submissions.selectors import visible_steps
from genmem.arena.submissions.services import allowance
from genmem.arena.teams.permissions import get_viewer


@login_required
@require_safe
def submissions(request: HttpRequest, slug: str) -> HttpResponse:
    """Every submission of my team, newest first, with its scores."""
    viewer = get_viewer(request, slug)
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
        "pages/submissions.html",
        {
            "viewer": viewer,
            "rows": [(one, scores.get(one.pk, {})) for one in found],
            "allowance": allowance(viewer.team),
            "under_way": any(one.state in ("received", "scoring") for one in found),
        },
    )


@login_required
@require_safe
def submission_page(request: HttpRequest, slug: str, pk: uuid.UUID) -> HttpResponse:
    """One submission, its steps and its scores; for its team, and for reviewers."""
    viewer = get_viewer(request, slug)
    submission = get_object_or_404(
        Submission.objects.select_related("team", "author"),
        pk=pk,
        team__competition=viewer.competition,
    )
    if not viewer.may_see_submissions_of(submission.team.pk):
        raise Http404
    return render(
        request,
        "pages/submission.html",
        {
            "viewer": viewer,
            "submission": submission,
            "steps": visible_steps(viewer, submission),
            "scores": scores_in_force([submission], private=viewer.sees_private).get(
                submission.pk, {}
            ),
            "under_way": submission.state in ("received", "scoring"),
        },
    )
