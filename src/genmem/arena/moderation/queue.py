"""Which submissions to review next, so that the fewest reviews settle the top k; no Django here.

    The top k is settled when each of its submissions is labelled as legitimate. Submissions
    labelled as copying leave it, and those below move up.

A submission in the top k can only rise while others leave, until it is reviewed itself. So every
unsettled submission of the top k has to be reviewed whatever the others turn out to be, and no
other has to be yet: reviewing these first, the best first, never wastes a review.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from genmem.arena.leaderboards.ranking import ScoredSubmission, rank
from genmem.arena.moderation.consensus import NOT_REVIEWED, Consensus


@dataclass(frozen=True)
class QueueItem:
    """A submission in the queue.

    Attributes:
        rank: the rank of its team once all submissions labelled as copying have left.
        submission: which.
        consensus: of its labels.
    """

    rank: int
    submission: ScoredSubmission
    consensus: Consensus


@dataclass(frozen=True)
class Queue:
    """What is left to do until the top k of a leaderboard is settled.

    Attributes:
        to_review: unsettled submissions of the top k, best first; each has to be reviewed.
        next_in_line: submissions that move into the top k if every suspect in it leaves.
        to_decide: submissions labelled as copying that hold a place of the top k, best first; an
            organizer has to decide about them.
        legitimate: how many of the top k are labelled as legitimate.
        size: how many submissions the top k has; fewer than k on a small leaderboard.
        reviews_left: how many reviews it takes if nothing in `to_review` copies, the minimum.
    """

    to_review: Sequence[QueueItem]
    next_in_line: Sequence[QueueItem]
    to_decide: Sequence[QueueItem]
    legitimate: int
    size: int
    reviews_left: int

    @property
    def done(self) -> bool:
        """Whether the top k is settled."""
        return not self.to_review and not self.to_decide


def review_queue(
    submissions: Sequence[ScoredSubmission], consensus: Mapping[str, Consensus], *, top: int
) -> Queue:
    """Build the queue.

    Args:
        submissions: those that compete on the leaderboard; none of them is disqualified.
        consensus: by submission id; submissions without a label may be missing.
        top: k; submissions without a score (N/A) are never in the top k.
    """

    def of(submission: ScoredSubmission) -> Consensus:
        return consensus.get(submission.id, NOT_REVIEWED)

    remaining = [submission for submission in submissions if not of(submission).copying]
    top_items = _top(remaining, of, top)
    to_review = [item for item in top_items if not item.consensus.label]
    suspects = {item.submission.id for item in to_review if item.consensus.suspect}
    next_in_line: list[QueueItem] = []
    if suspects:
        top_ids = {item.submission.id for item in top_items}
        without_suspects = [row for row in remaining if row.id not in suspects]
        next_in_line = [
            item
            for item in _top(without_suspects, of, top)
            if item.submission.id not in top_ids and not item.consensus.label
        ]
    return Queue(
        to_review=to_review,
        next_in_line=next_in_line,
        to_decide=_to_decide(submissions, of, top_items, top),
        legitimate=sum(item.consensus.legitimate for item in top_items),
        size=len(top_items),
        reviews_left=sum(item.consensus.reviews_needed for item in to_review),
    )


def _to_decide(
    submissions: Sequence[ScoredSubmission],
    of: Callable[[ScoredSubmission], Consensus],
    top_items: Sequence[QueueItem],
    top: int,
) -> list[QueueItem]:
    """Submissions labelled as copying that hold a place of the top k."""
    remaining = [submission for submission in submissions if not of(submission).copying]
    best = {placement.best.team: placement.best.order for placement in rank(remaining)}
    last = top_items[-1].submission.order if len(top_items) == top else None
    orders = [placement.best.order for placement in rank(submissions)]
    return [
        QueueItem(
            rank=1 + bisect_left(orders, submission.order),
            submission=submission,
            consensus=of(submission),
        )
        for submission in sorted(submissions, key=lambda submission: submission.order)
        if of(submission).copying
        and not submission.order[0]
        and (last is None or submission.order < last)
        and (submission.team not in best or submission.order < best[submission.team])
    ]


def count_reviewed(
    submissions: Sequence[ScoredSubmission],
    copies: Callable[[ScoredSubmission], bool],
    *,
    top: int,
) -> int:
    """How many submissions are reviewed, following the queue, until the top k is settled.

    Args:
        submissions: those that compete on the leaderboard.
        copies: what the reviews of a submission find.
        top: k.
    """
    remaining = list(submissions)
    reviewed: set[str] = set()
    while True:
        new = [
            placement.best
            for placement in rank(remaining)[:top]
            if placement.rank is not None and placement.best.id not in reviewed
        ]
        if not new:
            return len(reviewed)
        reviewed.update(submission.id for submission in new)
        copying = {submission.id for submission in new if copies(submission)}
        remaining = [submission for submission in remaining if submission.id not in copying]


def _top(
    submissions: Sequence[ScoredSubmission], of: Callable[[ScoredSubmission], Consensus], top: int
) -> list[QueueItem]:
    return [
        QueueItem(rank=placement.rank, submission=placement.best, consensus=of(placement.best))
        for placement in rank(submissions)[:top]
        if placement.rank is not None
    ]
