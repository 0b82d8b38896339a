"""A team's submissions, and one submission."""

from __future__ import annotations

import uuid

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_safe

from genmem.arena.leaderboards.scores import scores_in_force
from genmem.arena.submissions.models import Submission
from genmem.arena.submissions.selectors import visible_steps, visible_submission
from genmem.arena.submissions.services import allowance
from genmem.arena.teams.permissions import get_viewer


@login_required
@require_safe
def submissions(request: HttpRequest, slug: str) -> HttpResponse:
    """List the team's submissions with their scores, newest first."""
    viewer = get_viewer(request, slug)
    if viewer.team is None:
        return redirect("team", slug)
    rows = list(
        Submission.objects.filter(team=viewer.team)
        .select_related("author", "final")
        .order_by("-received_at")
    )
    scores = scores_in_force(rows, private=viewer.sees_private)
    return render(
        request,
        "pages/submissions.html",
        {
            "viewer": viewer,
            "rows": [(row, scores.get(row.pk, {})) for row in rows],
            "allowance": allowance(viewer.team),
            "under_way": any(row.state in ("received", "scoring") for row in rows),
        },
    )


@login_required
@require_safe
def submission_page(request: HttpRequest, slug: str, pk: uuid.UUID) -> HttpResponse:
    """Show one submission, its steps and scores, to its team and to reviewers."""
    viewer = get_viewer(request, slug)
    submission = visible_submission(viewer, pk)
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
