"""One rater's session: joining, the page that is next, and taking its rating.

Pages are drawn one at a time with the round locked, so that two raters who ask at once do not both
fill the last place of an entry. A page that waits for its rating holds its place for
`HELD`; after that it lapses, and somebody else gets the entry.
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
from genmem.arena.ratings.assignment import ENTRY, REPEAT, Place, choose, draw, plan
from genmem.arena.ratings.models import Item, Page, Rater, Rating, Round
from genmem.arena.ratings.questions import SCALE
from genmem.arena.ratings.reliability import consistency
from genmem.arena.ratings.results import answers_of
from genmem.arena.ratings.rounds import RatingError
from genmem.arena.teams.models import Membership

HELD = timedelta(minutes=30)


@dataclass(frozen=True, kw_only=True)
class Progress:
    """How far a rater is: `done` of at most `of` pages."""

    done: int
    of: int


def join(found: Round, user: User, *, named: bool = False) -> Rater:
    """Begin to rate; who has begun already is found again."""
    with transaction.atomic():
        current = Round.objects.select_for_update().get(pk=found.pk)
        if rater := Rater.objects.filter(round=current, user=user).first():
            return rater
        if current.closed_at is not None:
            raise RatingError("This round has closed.")
        number = Rater.objects.filter(round=current).count() + 1
        return Rater.objects.create(round=current, user=user, number=number, named=named)


def next_page(rater: Rater) -> Page | None:
    """The page that waits for its rating, else a fresh one; None where there is nothing to rate."""
    with transaction.atomic():
        found = Round.objects.select_for_update().get(pk=rater.round.pk)
        if found.closed_at is not None:
            return None
        waiting = Page.objects.filter(rater=rater, rating=None)
        waiting.filter(shown_at__lt=clock.now() - HELD).delete()
        if page := waiting.select_related("item").first():
            return page
        return _draw(found, rater)


def take(rater: Rater, token: str, value: int) -> Rating:
    """Write a rating down. The same page sent twice is one rating: the first.

    Raises:
        RatingError: the value is off the scale, the round has closed, or the page has lapsed.
    """
    if value not in SCALE:
        raise RatingError("Choose one of the five answers.")
    with transaction.atomic():
        found = Round.objects.select_for_update().get(pk=rater.round.pk)
        page = Page.objects.filter(rater=rater, token=token).first()
        if page is None:
            raise RatingError(
                f"This page had waited for more than {HELD.seconds // 60} minutes; here is another."
            )
        if given := Rating.objects.filter(page=page).first():
            return given
        if found.closed_at is not None:
            raise RatingError("This round has closed.")
        rating = Rating.objects.create(page=page, value=value)
        rater.unreliable = consistency(answers_of(found, rater=rater)).unreliable
        rater.save(update_fields=["unreliable"])
    return rating


def progress(rater: Rater) -> Progress:
    """How many pages are rated, and how many there are at most."""
    done = Rating.objects.filter(page__rater=rater).count()
    return Progress(done=done, of=max(done, len(plan_of(rater.round, rater))))


def plan_of(found: Round, rater: Rater) -> tuple[Place, ...]:
    """The rater's places."""
    return plan(
        pages=found.pages,
        controls=found.controls,
        turned=rater.number % 2 == 0,
        seed=_seed(found, rater, "plan"),
    )


def _draw(found: Round, rater: Rater) -> Page | None:
    """A page for the first place of the plan that can be filled."""
    pages = {page.place: page for page in Page.objects.filter(rater=rater)}
    places = plan_of(found, rater)
    for number, place in enumerate(places):
        if number in pages:
            continue
        if place.kind == REPEAT:
            first = pages.get(place.of if place.of is not None else -1)
            if first is None:
                continue
            return _page(rater, place, number, first.item, first.images, repeats=first)
        item = _item(found, rater, place, number, pages)
        if item is not None:
            wanted = found.split_of(place.question) ** 2
            images = draw(item.available, wanted, seed=_seed(found, rater, f"images {number}"))
            return _page(rater, place, number, item, images)
    return None


def _item(
    found: Round, rater: Rater, place: Place, number: int, pages: dict[int, Page]
) -> Item | None:
    """What is shown at a place."""
    seen = {one.item_id for one in pages.values() if one.question == place.question}  # pyright: ignore[reportAttributeAccessIssue]
    chosen = choose(
        ratings_of(found, place.question),
        seen=seen | _own(found, rater.user),
        wanted=found.ratings_wanted,
        seed=_seed(found, rater, f"entry {number}"),
    )
    if place.kind == ENTRY:
        return None if chosen is None else Item.objects.get(pk=chosen)
    if chosen is None and not seen:
        return None  # a control without anything to control
    return Item.objects.filter(round=found, kind=place.kind).first()


def ratings_of(found: Round, question: str) -> Counter[int]:
    """By entry: ratings that count, and pages that wait for one."""
    counted = Q(shown_on__question=question, shown_on__repeats=None) & Q(
        Q(shown_on__rating__isnull=False, shown_on__rater__unreliable=False)
        | Q(shown_on__rating=None, shown_on__shown_at__gte=clock.now() - HELD)
    )
    items = Item.objects.filter(round=found, kind=ENTRY)
    return Counter(
        dict(items.annotate(given=Count("shown_on", filter=counted)).values_list("pk", "given"))
    )


def _own(found: Round, user: User) -> set[int]:
    """The entries of the rater's own team: nobody rates their own."""
    teams = Membership.objects.filter(user=user, competition=found.competition).values("team")
    return set(
        Item.objects.filter(round=found)
        .filter(Q(submission__team__in=teams) | Q(submission__author=user))
        .values_list("pk", flat=True)
    )


def _page(
    rater: Rater,
    place: Place,
    number: int,
    item: Item,
    images: list[int],
    repeats: Page | None = None,
) -> Page:
    return Page.objects.create(
        rater=rater,
        question=place.question,
        item=item,
        place=number,
        images=images,
        token=secrets.token_urlsafe(32),
        repeats=repeats,
    )


def _seed(found: Round, rater: Rater, purpose: str) -> int:
    text = f"{found.seed} {rater.pk} {purpose}"
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest())
