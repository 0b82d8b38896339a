"""Read submissions as a viewer may see them.

Who may see a submission is the rule of `teams.permissions.Viewer.may_see_submissions_of`.
"""

from __future__ import annotations

import uuid

from django.http import Http404
from django.shortcuts import get_object_or_404

from genmem.arena.submissions.models import Step, Submission, steps_of
from genmem.arena.teams.permissions import Viewer


def visible_submission(viewer: Viewer, pk: uuid.UUID) -> Submission:
    """Return a submission of the viewer's competition, to its team and to reviewers.

    Raises:
        Http404: there is none, or the viewer may not see it.
    """
    submission = get_object_or_404(
        Submission.objects.select_related("team", "author"),
        pk=pk,
        team__competition=viewer.competition,
    )
    if not viewer.may_see_submissions_of(submission.team.pk):
        raise Http404
    return submission


def visible_steps(viewer: Viewer, submission: Submission) -> list[Step]:
    """Return all steps in order, without the logs of private steps the viewer may not see."""
    existing = {step.name: step for step in Step.objects.filter(submission=submission)}
    steps = [
        existing.get(name) or Step(submission=submission, name=name)
        for name in steps_of(submission.kind)
    ]
    for step in steps:
        if step.name.startswith("private") and not viewer.sees_private:
            step.log = ""
    return steps
