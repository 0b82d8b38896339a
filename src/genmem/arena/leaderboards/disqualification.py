"""Which submissions are disqualified: those whose newest decision says so."""

from __future__ import annotations

import uuid

from genmem.arena.competitions.models import Competition
from genmem.arena.leaderboards.models import Decision
from genmem.arena.submissions.models import Submission


def current_decision(submission: Submission) -> Decision | None:
    """The newest decision on a submission, which is the one in force."""
    return Decision.objects.filter(submission=submission).order_by("-pk").first()


def disqualified_ids(competition: Competition) -> set[uuid.UUID]:
    """The ids of the competition's disqualified submissions."""
    newest = dict(
        Decision.objects.filter(submission__team__competition=competition)
        .order_by("pk")
        .values_list("submission_id", "kind")
    )
    return {submission for submission, kind in newest.items() if kind == "disqualified"}
