"""Open and close rating rounds; who may rate in them."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Sequence

from django.db import transaction

from genmem.arena.accounts.models import User
from genmem.arena.auditlog.log import record
from genmem.arena.competitions.models import Competition
from genmem.arena.core import clock
from genmem.arena.core.errors import RuleError
from genmem.arena.leaderboards.leaderboard import ranked_submissions
from genmem.arena.leaderboards.ranking import rank
from genmem.arena.ratings.assignment import REAL, SPOILED, SUBMISSION
from genmem.arena.ratings.models import Item, Round
from genmem.arena.ratings.round_images import MAX_IMAGES, store_real_images
from genmem.arena.submissions.models import Submission
from genmem.arena.teams.permissions import Viewer
from genmem.errors import InputError

MIN_REAL = 10
"""Controls need at least so many real images."""


def top_submissions(competition: Competition, count: int) -> list[uuid.UUID]:
    """The best submissions of the first `count` teams on the private leaderboard.

    Without private scores, those of the public leaderboard.
    """
    for kind in ("private", "public"):
        placements = rank(ranked_submissions(competition, kind))
        if ranked := [placement for placement in placements if placement.rank is not None]:
            return [uuid.UUID(placement.best.id) for placement in ranked[:count]]
    return []


def open_round(
    rating_round: Round,
    submissions: Sequence[uuid.UUID],
    *,
    invited: Sequence[User] = (),
    by: User | None,
) -> Round:
    """Open a round.

    Args:
        rating_round: with its settings, not saved yet.
        submissions: ids of the submissions to rate.
        invited: the raters of the audience "invited".
        by: who opens it; None on the server's command line.

    Returns:
        The saved round.

    Raises:
        RuleError: there is no submission, one is not a scored submission of the competition, or
            the training images for the controls cannot be read.
    """
    competition = rating_round.competition
    ids = list(dict.fromkeys(submissions))
    scored = Submission.objects.filter(team__competition=competition, state="scored").in_bulk(ids)
    if missing := set(ids) - set(scored):
        raise RuleError(
            f"Only scored submissions of this competition can be rated, unlike {min(missing)}."
        )
    if not ids:
        raise RuleError("There is no scored submission to rate yet.")
    with transaction.atomic():
        rating_round.pages = min(rating_round.pages, len(ids))
        rating_round.seed = secrets.randbits(48)
        rating_round.opened_by = by
        rating_round.save()
        rating_round.invited.set(invited)
        available = min(MAX_IMAGES, competition.image_count)
        Item.objects.bulk_create(
            Item(round=rating_round, kind=SUBMISSION, submission=scored[pk], available=available)
            for pk in ids
        )
        if rating_round.controls:
            real = _store_real_images(rating_round)
            for kind in (REAL, SPOILED):
                Item.objects.create(round=rating_round, kind=kind, available=real)
        record(
            competition,
            actor=by,
            action="open rating round",
            subject=rating_round.title,
            after={"audience": rating_round.audience, "submissions": [str(pk) for pk in ids]},
        )
    return rating_round


def _store_real_images(rating_round: Round) -> int:
    """Store the real images for the controls. Returns how many there are."""
    advice = "Fix the training images, or open the round without controls."
    try:
        count = store_real_images(rating_round)
    except InputError as error:
        raise RuleError(
            f"The training images cannot be shown as controls: {error}. {advice}"
        ) from error
    if count < MIN_REAL:
        raise RuleError(
            f"Controls need at least {MIN_REAL} training images, found {count}. {advice}"
        )
    return count


def close_round(rating_round: Round, *, by: User | None) -> None:
    """Close a round: it takes no more ratings. Closing it twice has no effect."""
    with transaction.atomic():
        current = Round.objects.select_for_update().get(pk=rating_round.pk)
        if current.closed_at is not None:
            return
        current.closed_at = clock.now()
        current.save(update_fields=["closed_at"])
        record(current.competition, actor=by, action="close rating round", subject=current.title)


def may_rate(viewer: Viewer, rating_round: Round) -> bool:
    """Whether the viewer is in the round's audience."""
    if viewer.user is None:
        return False
    if rating_round.audience == "judges":
        return viewer.reviewer
    if rating_round.audience == "invited":
        return rating_round.invited.filter(pk=viewer.user.pk).exists()
    return True


def rounds_for(viewer: Viewer) -> list[Round]:
    """The open rounds in which the viewer may rate, newest first."""
    rounds = Round.objects.filter(competition=viewer.competition, closed_at=None).order_by("-pk")
    return [rating_round for rating_round in rounds if may_rate(viewer, rating_round)]
