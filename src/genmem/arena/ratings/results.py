"""What a round has come to: ratings of each entry, raters and their consistency, agreement."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from genmem.arena.accounts.models import User
from genmem.arena.leaderboards.scores import scores_in_force
from genmem.arena.ratings.assignment import ENTRY
from genmem.arena.ratings.models import Item, Rater, Rating, Round
from genmem.arena.ratings.questions import QUESTIONS
from genmem.arena.ratings.reliability import Answer, Consistency, consistency
from genmem.arena.ratings.summary import Agreement, Mean, agreement, mean


@dataclass(frozen=True, kw_only=True)
class Rated:
    """One entry or control: `means` by question, of reliable raters only."""

    item: Item
    means: dict[str, Mean]
    private_score: float | None = None


@dataclass(frozen=True, kw_only=True)
class RaterFinding:
    """One rater, and what the checks say."""

    rater: Rater
    consistency: Consistency


@dataclass(frozen=True, kw_only=True)
class Findings:
    """Everything about a round.

    Attributes:
        entries: submissions, best mean quality first; controls after them.
        raters: in the order they came.
        agreements: by question: among reliable raters, among all.
        ratings: how many were given, controls and repetitions with them.
        wanted: ratings of submissions that the round asks for; `given` of them are there.
    """

    entries: list[Rated]
    raters: list[RaterFinding]
    agreements: dict[str, tuple[Agreement, Agreement]]
    ratings: int
    given: int
    wanted: int


def answers_of(found: Round, *, rater: Rater | None = None) -> list[Answer]:
    """The ratings of a round, or of one rater in it, in the order they were given."""
    rows = Rating.objects.filter(page__rater__round=found)
    if rater is not None:
        rows = rows.filter(page__rater=rater)
    return [
        Answer(
            rater=rater_id,
            item=item,
            kind=kind,
            question=question,
            value=value,
            seconds=(at - shown_at).total_seconds(),
            first=first,
        )
        for rater_id, item, kind, question, value, at, shown_at, first in rows.order_by(
            "pk"
        ).values_list(
            "page__rater_id",
            "page__item_id",
            "page__item__kind",
            "page__question",
            "value",
            "at",
            "page__shown_at",
            "page__repeats__rating__value",
        )
    ]


def findings(found: Round) -> Findings:
    """All of it, computed now."""
    answers = answers_of(found)
    raters = [
        RaterFinding(
            rater=rater,
            consistency=consistency(one for one in answers if one.rater == rater.pk),
        )
        for rater in Rater.objects.filter(round=found).select_related("user").order_by("number")
    ]
    unreliable = {one.rater.pk for one in raters if one.consistency.unreliable}
    kept = [one for one in answers if one.rater not in unreliable]
    return Findings(
        entries=_entries(found, kept),
        raters=raters,
        agreements={
            name: (
                agreement(one for one in kept if one.question == name),
                agreement(one for one in answers if one.question == name),
            )
            for name in QUESTIONS
        },
        ratings=len(answers),
        given=sum(one.counts for one in kept),
        wanted=Item.objects.filter(round=found, kind=ENTRY).count()
        * found.ratings_wanted
        * len(QUESTIONS),
    )


def _entries(found: Round, answers: list[Answer]) -> list[Rated]:
    values: dict[tuple[int, str], list[int]] = {}
    for one in answers:
        if one.first is None:
            values.setdefault((one.item, one.question), []).append(one.value)
    items = list(Item.objects.filter(round=found).select_related("submission__team").order_by("pk"))
    submissions = [one.submission for one in items if one.submission is not None]
    scores = scores_in_force(submissions, private=True)
    rated = [
        Rated(
            item=item,
            means={name: mean(values.get((item.pk, name), [])) for name in QUESTIONS},
            private_score=_private(scores.get(item.submission.pk)) if item.submission else None,
        )
        for item in items
    ]
    return sorted(
        rated, key=lambda one: (one.item.kind != ENTRY, -(one.means["quality"].value or 0))
    )


def _private(scores: dict | None) -> float | None:
    version = (scores or {}).get("private")
    return None if version is None else version.score


@dataclass(frozen=True, kw_only=True)
class RatingRow:
    """One rating with everything around it, for files."""

    round_id: int
    round: str
    rater: User
    named: bool
    rater_reliable: bool
    question: str
    shown: str
    submission: uuid.UUID | None
    value: int
    at: datetime
    seconds: float
    place: int
    repeats_place: int | None
    images: list[int]


def rating_rows(rounds: list[Round]) -> Iterator[RatingRow]:
    """Every rating of these rounds, in the order they were given."""
    rows = (
        Rating.objects.filter(page__rater__round__in=rounds)
        .select_related("page__rater__user", "page__rater__round", "page__item", "page__repeats")
        .order_by("pk")
    )
    for rating in rows.iterator(chunk_size=2000):
        page, rater = rating.page, rating.page.rater
        yield RatingRow(
            round_id=rater.round.pk,
            round=rater.round.title,
            rater=rater.user,
            named=rater.named,
            rater_reliable=not rater.unreliable,
            question=page.question,
            shown=page.item.kind,
            submission=page.item.submission_id,  # pyright: ignore[reportAttributeAccessIssue]
            value=rating.value,
            at=rating.at,
            seconds=(rating.at - page.shown_at).total_seconds(),
            place=page.place + 1,
            repeats_place=page.repeats.place + 1 if page.repeats else None,
            images=page.images,
        )
