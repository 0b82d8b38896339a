"""Read submissions as a viewer may see them."""

from __future__ import annotations

from genmem.arena.submissions.models import Step, Submission, steps_of
from genmem.arena.teams.permissions import Viewer


def visible_steps(viewer: Viewer, submission: Submission) -> list[Step]:
    """Return all steps in order, without the logs of private steps that the viewer may not see."""
    steps = {step.name: step for step in Step.objects.filter(submission=submission)}
    ordered = [
        steps.get(name) or Step(submission=submission, name=name)
        for name in steps_of(submission.kind)
    ]
    for step in ordered:
        if step.name.startswith("private") and not viewer.sees_private:
            step.log = ""
    return ordered
