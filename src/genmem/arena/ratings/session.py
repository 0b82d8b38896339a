"""One rater's session: join, get the next page, submit its rating.

Pages are drawn one at a time while the round is locked, so that two raters at the same time do not
both get the last rating a submission needs. A page that waits for its rating reserves it for
`RESERVED`; then the page expires, and somebody else gets the submission.
"""

from __future__ import annotations

import hashlib
import secrets
from collections import Counter
from dataclasses import dataclass
from datetime import timedelta

from django.db import transaction
from django.db.models import Count, Q

from genmem.arena.accounts.models import User
from genmem.arena.core import clock
from genmem.arena.core.errors import RuleError
from genmem.arena.ratings.assignment import (
    REPEAT,
    SUBMISSION,
    PlannedPage,
    choose_item,
    draw_images,
    plan_session,
)
from genmem.arena.ratings.models import Item, Page, Rater, Rating, Round
from genmem.arena.ratings.questions import SCALE
from genmem.arena.ratings.reliability import check_rater
from genmem.arena.ratings.results import rating_records
from genmem.arena.teams.models import Membership

RESERVED = timedelta(minutes=30)


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far a rater is: `done` of at most `of` pages."""

    done: int
    of: int


def join(rating_round: Round, user: User, *, named: bool = False) -> Rater:
    """Join a round as a rater; joining twice returns the same rater.

    Args:
        rating_round: an open round.
        user: who rates.
        named: whether published data may show their name.

    Raises:
        RuleError: the round has closed.
    """
    with transaction.atomic():
        current = Round.objects.select_for_update().get(pk=rating_round.pk)
        if rater := Rater.objects.filter(round=current, user=user).first():
            return rater
        if current.closed_at is not None:
            raise RuleError("This round has closed.")
        number = Rater.objects.filter(round=current).count() + 1
        return Rater.objects.create(round=current, user=user, number=number, named=named)


def next_page(rater: Rater) -> Page | None:
    """The page that waits for its rating, or a new one; None where nothing is left to rate."""
    with transaction.atomic():
        rating_round = Round.objects.select_for_update().get(pk=rater.round.pk)
        if rating_round.closed_at is not None:
            return None
        waiting = Page.objects.filter(rater=rater, rating=None)
        waiting.filter(shown_at__lt=clock.now() - RESERVED).delete()
        if page := waiting.select_related("item").first():
            return page
        return _draw_page(rating_round, rater)


def submit_rating(rater: Rater, token: str, value: int) -> Rating:
    """Add the rating of a page. A page rated twice keeps its first rating.

    Args:
        rater: who rates.
        token: of the page.
        value: on the scale.

    Raises:
        RuleError: the value is off the scale, the round has closed, or the page has expired.
    """
    if value not in SCALE:
        raise RuleError("Choose one of the five answers.")
    with transaction.atomic():
        rating_round = Round.objects.select_for_update().get(pk=rater.round.pk)
        page = Page.objects.filter(rater=rater, token=token).first()
        if page is None:
            minutes = RESERVED.seconds // 60
            raise RuleError(f"This page expired after {minutes} minutes. Here is another one.")
        if rating := Rating.objects.filter(page=page).first():
            return rating
        if rating_round.closed_at is not None:
            raise RuleError("This round has closed.")
        rating = Rating.objects.create(page=page, value=value)
        rater.unreliable = check_rater(rating_records(rating_round, rater=rater)).unreliable
        rater.save(update_fields=["unreliable"])
    return rating


def progress(rater: Rater) -> Progress:
    """How many pages the rater has rated, and the maximum."""
    done = Rating.objects.filter(page__rater=rater).count()
    return Progress(done=done, of=max(done, len(session_plan(rater.round, rater))))


def session_plan(rating_round: Round, rater: Rater) -> tuple[PlannedPage, ...]:
    """The rater's plan; always the same."""
    return plan_session(
        pages=rating_round.pages,
        controls=rating_round.controls,
        diversity_first=rater.number % 2 == 0,
        seed=_seed(rating_round, rater, "plan"),
    )


def rating_counts(rating_round: Round, question: str) -> Counter[int]:
    """By item id of each submission: its ratings that count, and pages that wait for one."""
    counted = Q(shown_on__question=question, shown_on__repeats=None) & Q(
        Q(shown_on__rating__isnull=False, shown_on__rater__unreliable=False)
        | Q(shown_on__rating=None, shown_on__shown_at__gte=clock.now() - RESERVED)
    )
    items = Item.objects.filter(round=rating_round, kind=SUBMISSION)
    counts = items.annotate(count=Count("shown_on", filter=counted))
    return Counter(dict(counts.values_list("pk", "count")))


def _draw_page(rating_round: Round, rater: Rater) -> Page | None:
    """Draw a page for the first position of the plan that can be filled."""
    pages = {page.position: page for page in Page.objects.filter(rater=rater)}
    for position, planned in enumerate(session_plan(rating_round, rater)):
        if position in pages:
            continue
        first = None
        if planned.kind == REPEAT:
            first = pages.get(-1 if planned.repeats is None else planned.repeats)
            if first is None:
                continue
            item, images = first.item, first.images
        else:
            item = _choose(rating_round, rater, planned, position, pages)
            if item is None:
                continue
            count = rating_round.grid_size(planned.question) ** 2
            seed = _seed(rating_round, rater, f"images {position}")
            images = draw_images(item.available, count, seed=seed)
        return Page.objects.create(
            rater=rater,
            question=planned.question,
            item=item,
            position=position,
            images=images,
            token=secrets.token_urlsafe(32),
            repeats=first,
        )
    return None


def _choose(
    rating_round: Round, rater: Rater, planned: PlannedPage, position: int, pages: dict[int, Page]
) -> Item | None:
    """The item to show at a position; None where there is none."""
    seen = {page.item_id for page in pages.values() if page.question == planned.question}  # pyright: ignore[reportAttributeAccessIssue]
    chosen = choose_item(
        rating_counts(rating_round, planned.question),
        seen=seen | _own_items(rating_round, rater.user),
        wanted=rating_round.ratings_wanted,
        seed=_seed(rating_round, rater, f"entry {position}"),
    )
    if planned.kind == SUBMISSION:
        return None if chosen is None else Item.objects.get(pk=chosen)
    if chosen is None and not seen:
        return None  # no controls for a rater who has nothing to rate
    return Item.objects.filter(round=rating_round, kind=planned.kind).first()


def _own_items(rating_round: Round, user: User) -> set[int]:
    """The submissions of the rater's own team, which they do not rate."""
    teams = Membership.objects.filter(user=user, competition=rating_round.competition)
    return set(
        Item.objects.filter(round=rating_round)
        .filter(Q(submission__team__in=teams.values("team")) | Q(submission__author=user))
        .values_list("pk", flat=True)
    )


def _seed(rating_round: Round, rater: Rater, purpose: str) -> int:
    text = f"{rating_round.seed} {rater.pk} {purpose}"
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest())
