"""The labels, the consensus and the review queue of a competition, cached."""

from __future__ import annotations

import uuid
from collections.abc import Mapping

from django.db.models import Count, Max

from genmem.arena.competitions.models import Competition
from genmem.arena.leaderboards.cache import cached
from genmem.arena.leaderboards.leaderboard import ranked_submissions
from genmem.arena.moderation.consensus import Consensus, consensus_of
from genmem.arena.moderation.models import Label
from genmem.arena.moderation.queue import Queue, QueueItem, review_queue
from genmem.arena.submissions.models import Submission

LabelsBySubmission = Mapping[uuid.UUID, Mapping[int, str]]
"""By submission, by reviewer: the current label."""


def label_state() -> tuple[int | None, int]:
    """Changes with every label."""
    state = Label.objects.aggregate(last=Max("pk"), count=Count("pk"))
    return state["last"], state["count"]


def current_labels(submission: Submission) -> list[Label]:
    """Each reviewer's newest label of one submission, oldest first."""
    newest = {
        label.reviewer.pk: label
        for label in Label.objects.filter(submission=submission)
        .select_related("reviewer")
        .order_by("pk")
    }
    return sorted(newest.values(), key=lambda label: label.pk)


def labels_by_submission(competition: Competition) -> LabelsBySubmission:
    """The current labels of all submissions of a competition."""

    def read() -> LabelsBySubmission:
        labels: dict[uuid.UUID, dict[int, str]] = {}
        rows = Label.objects.filter(submission__team__competition=competition).order_by("pk")
        for pk, reviewer, label in rows.values_list(
            "submission_id", "reviewer_id", "label"
        ).iterator():
            labels.setdefault(pk, {})[reviewer] = label
        return labels

    return cached(("labels", competition.pk), label_state(), read)


def consensus_by_submission(competition: Competition) -> Mapping[str, Consensus]:
    """By submission id: the consensus of its labels; submissions without a label are missing."""

    def compute() -> dict[str, Consensus]:
        labels = labels_by_submission(competition)
        return {str(pk): consensus_of(by_reviewer.values()) for pk, by_reviewer in labels.items()}

    return cached(("consensus", competition.pk), label_state(), compute)


def queue_of(competition: Competition, *, top: int) -> Queue:
    """What is left to review until the top `top` of the private leaderboard is settled."""
    submissions = ranked_submissions(competition, "private")
    return review_queue(submissions, consensus_by_submission(competition), top=top)


def next_to_review(
    competition: Competition, queue: Queue, reviewer_id: int, *, after: str = ""
) -> QueueItem | None:
    """The first submission of the queue that a reviewer has not labelled.

    Args:
        competition: of the queue.
        queue: of `queue_of`.
        reviewer_id: of the user.
        after: id of a submission to skip; "" for none.
    """
    labels = labels_by_submission(competition)
    for item in (*queue.to_review, *queue.next_in_line):
        pk = item.submission.id
        if pk != after and reviewer_id not in labels.get(uuid.UUID(pk), {}):
            return item
    return None
