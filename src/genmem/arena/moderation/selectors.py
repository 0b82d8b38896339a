"""What the desk's pages ask: who stands on the private board, and what the labels come to."""

from __future__ import annotations

import uuid
from collections.abc import Mapping

from django.db.models import Count, Max

from genmem.arena.competitions.models import Competition
from genmem.arena.leaderboards.cache import kept, stamp
from genmem.arena.leaderboards.leaderboard import standing
from genmem.arena.leaderboards.ranking import Entry
from genmem.arena.leaderboards.scores import entries
from genmem.arena.moderation.consensus import Verdict
from genmem.arena.moderation.models import Label
from genmem.arena.moderation.queue import Item, Queue, review_queue
from genmem.arena.moderation.reviews import labels_of_all, verdicts


def entries_standing(competition: Competition) -> list[Entry]:
    """The final selections on the private board, disqualified ones left out."""

    def find() -> list[Entry]:
        finals = standing(competition)
        return [one for one in entries(competition, "private") if one.submission in finals]

    return kept(("entries standing", competition.pk), stamp(), find)


def label_stamp() -> tuple[int | None, int]:
    """Changes whenever a label is given."""
    found = Label.objects.aggregate(last=Max("pk"), count=Count("pk"))
    return found["last"], found["count"]


def labels_now(competition: Competition) -> Mapping[uuid.UUID, Mapping[int, str]]:
    """By submission, by reviewer: the label in force."""
    return kept(("labels", competition.pk), label_stamp(), lambda: labels_of_all(competition))


def verdicts_now(competition: Competition) -> Mapping[str, Verdict]:
    """By submission: what its labels come to."""
    return kept(
        ("verdicts", competition.pk),
        label_stamp(),
        lambda: {str(one): found for one, found in verdicts(labels_now(competition)).items()},
    )


def queue_now(competition: Competition, *, top: int) -> Queue:
    """What is left to review until the private top is clean."""
    return review_queue(entries_standing(competition), verdicts_now(competition), top=top)


def next_for(
    competition: Competition, queue: Queue, reviewer_id: int, *, after: str = ""
) -> Item | None:
    """The first of the queue that a reviewer has not labelled, other than `after`."""
    labels = labels_now(competition)
    for item in (*queue.now, *queue.then):
        submission = item.entry.submission
        if submission != after and reviewer_id not in labels.get(uuid.UUID(submission), {}):
            return item
    return None
