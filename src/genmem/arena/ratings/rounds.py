"""Opening and closing rounds, and who may rate in them."""

from __future__ import annotations

import secrets
import uuid
from collections.abc import Sequence
from dataclasses import dataclass

from django.db import transaction

from genmem.arena.accounts.models import User
from genmem.arena.auditlog.log import record
from genmem.arena.competitions.models import Competition
from genmem.arena.core import clock
from genmem.arena.leaderboards.leaderboard import ranked_submissions
from genmem.arena.leaderboards.ranking import rank
from genmem.arena.ratings.assignment import ENTRY, REAL, SPOILED
from genmem.arena.ratings.models import Item, Round
from genmem.arena.ratings.round_images import POOL, keep_real, open_real
from genmem.arena.submissions.models import Submission
from genmem.arena.teams.permissions import Viewer
from genmem.errors import GenmemError, InputError

FEWEST_REAL = 10
"""Real images below which controls make no sense."""


class RatingError(GenmemError):
    """The round cannot be opened, or the rating not taken; the message says why."""


@dataclass(frozen=True, kw_only=True)
class Terms:
    """How a round is run; see `Round`."""

    title: str
    audience: str = "everybody"
    invited: Sequence[User] = ()
    ratings_wanted: int = 15
    pages: int = 20
    quality_side: int = 3
    diversity_side: int = 6
    controls: bool = True


def top_submissions(competition: Competition, count: int) -> list[uuid.UUID]:
    """The submissions that place the first `count` teams of the private board, best first.

    Where no private score is there yet, those of the public board.
    """
    for kind in ("private", "public"):
        placements = rank(ranked_submissions(competition, kind))
        if ranked := [placement for placement in placements if placement.rank is not None]:
            return [uuid.UUID(placement.best.id) for placement in ranked[:count]]
    return []


def open_round(
    competition: Competition, submissions: Sequence[uuid.UUID], terms: Terms, *, by: User | None
) -> Round:
    """Open a round over these submissions.

    Raises:
        RatingError: there are none, one is not scored or of another competition, or the training
            images for the controls cannot be read.
    """
    wanted = list(dict.fromkeys(submissions))
    found = Submission.objects.filter(pk__in=wanted, team__competition=competition, state="scored")
    if missing := set(wanted) - {one.pk for one in found}:
        raise RatingError(
            f"Only scored submissions of this competition can be rated; {min(missing)} is none."
        )
    if not wanted:
        raise RatingError("There is no scored submission to rate yet.")
    by_id = {one.pk: one for one in found}
    with transaction.atomic():
        made = Round.objects.create(
            competition=competition,
            title=terms.title,
            audience=terms.audience,
            ratings_wanted=terms.ratings_wanted,
            pages=min(terms.pages, len(wanted)),
            quality_side=terms.quality_side,
            diversity_side=terms.diversity_side,
            controls=terms.controls,
            seed=secrets.randbits(48),
            opened_by=by,
        )
        made.invited.set(terms.invited)
        available = min(POOL, competition.image_count)
        Item.objects.bulk_create(
            Item(round=made, kind=ENTRY, submission=by_id[one], available=available)
            for one in wanted
        )
        if terms.controls:
            real = _keep_real(made)
            for kind in (REAL, SPOILED):
                Item.objects.create(round=made, kind=kind, available=real)
        record(
            competition,
            actor=by,
            action="open rating round",
            subject=made.title,
            after={"audience": made.audience, "submissions": [str(one) for one in wanted]},
        )
    return made


def _keep_real(made: Round) -> int:
    advice = "Put the training images right, or open the round without controls."
    try:
        with open_real(made.competition) as source:
            count = keep_real(made, source)
    except InputError as error:
        raise RatingError(
            f"The training images cannot be shown as controls: {error}. {advice}"
        ) from error
    if count < FEWEST_REAL:
        raise RatingError(
            f"Controls need {FEWEST_REAL} training images or more, found {count}. {advice}"
        )
    return count


def close_round(found: Round, *, by: User | None) -> None:
    """Take no more ratings."""
    with transaction.atomic():
        current = Round.objects.select_for_update().get(pk=found.pk)
        if current.closed_at is not None:
            return
        current.closed_at = clock.now()
        current.save(update_fields=["closed_at"])
        record(current.competition, actor=by, action="close rating round", subject=current.title)


def may_rate(viewer: Viewer, found: Round) -> bool:
    """Whether the round is for somebody like them."""
    if viewer.user is None:
        return False
    if found.audience == "judges":
        return viewer.reviewer
    if found.audience == "invited":
        return found.invited.filter(pk=viewer.user.pk).exists()
    return True


def rounds_for(viewer: Viewer) -> list[Round]:
    """The open rounds that somebody may rate in, newest first."""
    rounds = Round.objects.filter(competition=viewer.competition, closed_at=None)
    return [one for one in rounds.order_by("-pk") if may_rate(viewer, one)]
