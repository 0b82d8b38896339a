"""The results of a round: mean ratings of each submission, checks of each rater, agreement."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import QuerySet

from genmem.arena.leaderboards.scores import scores_in_force
from genmem.arena.ratings.assignment import SUBMISSION
from genmem.arena.ratings.models import Item, Rater, Rating, Round
from genmem.arena.ratings.questions import QUESTIONS
from genmem.arena.ratings.reliability import RaterChecks, RatingRecord, check_rater
from genmem.arena.ratings.statistics import Agreement, MeanRating, agreement, mean_rating


@dataclass(frozen=True, kw_only=True)
class RatedItem:
    """A submission or control.

    Attributes:
        item: which.
        means: by question, of reliable raters only.
        private_score: of a submission; None for N/A and for controls.
        private_standing: what that score is: "", penalized or replay of the training set.
    """

    item: Item
    means: dict[str, MeanRating]
    private_score: float | None
    private_standing: str


@dataclass(frozen=True, kw_only=True)
class RoundResults:
    """The results of a round.

    Attributes:
        items: submissions, best mean quality first; then controls.
        raters: each with their checks, in order of joining.
        agreements: by question: among reliable raters, among all.
        ratings: number of ratings, controls and repetitions included.
        counted: number of ratings of submissions by reliable raters.
        wanted: number of such ratings that the round asks for.
    """

    items: list[RatedItem]
    raters: list[tuple[Rater, RaterChecks]]
    agreements: dict[str, tuple[Agreement, Agreement]]
    ratings: int
    counted: int
    wanted: int


def ratings_of(rounds: Sequence[Round]) -> QuerySet[Rating]:
    """All ratings of these rounds in order of time, with pages, items and raters."""
    return (
        Rating.objects.filter(page__rater__round__in=rounds)
        .select_related("page__rater__user", "page__item", "page__repeats")
        .order_by("pk")
    )


def rating_records(rating_round: Round, *, rater: Rater | None = None) -> list[RatingRecord]:
    """The ratings of a round, or of one rater in it, in order of time."""
    rows = Rating.objects.filter(page__rater__round=rating_round)
    if rater is not None:
        rows = rows.filter(page__rater=rater)
    return [
        RatingRecord(
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


def round_results(rating_round: Round) -> RoundResults:
    """Compute the results of a round."""
    records = rating_records(rating_round)
    raters = [
        (rater, check_rater(record for record in records if record.rater == rater.pk))
        for rater in Rater.objects.filter(round=rating_round)
        .select_related("user")
        .order_by("number")
    ]
    unreliable = {rater.pk for rater, checks in raters if checks.unreliable}
    reliable = [record for record in records if record.rater not in unreliable]
    submissions = Item.objects.filter(round=rating_round, kind=SUBMISSION).count()
    return RoundResults(
        items=_rated_items(rating_round, reliable),
        raters=raters,
        agreements={
            name: (
                agreement(record for record in reliable if record.question == name),
                agreement(record for record in records if record.question == name),
            )
            for name in QUESTIONS
        },
        ratings=len(records),
        counted=sum(record.counts for record in reliable),
        wanted=submissions * rating_round.ratings_wanted * len(QUESTIONS),
    )


def _rated_items(rating_round: Round, records: list[RatingRecord]) -> list[RatedItem]:
    values: dict[tuple[int, str], list[int]] = {}
    for record in records:
        if record.first is None:
            values.setdefault((record.item, record.question), []).append(record.value)
    items = Item.objects.filter(round=rating_round).select_related("submission__team")
    submissions = [item.submission for item in items if item.submission is not None]
    scores = {
        pk: versions["private"]
        for pk, versions in scores_in_force(submissions, private=True).items()
        if "private" in versions
    }
    rated = [
        RatedItem(
            item=item,
            means={name: mean_rating(values.get((item.pk, name), [])) for name in QUESTIONS},
            private_score=version.score if version else None,
            private_standing=version.standing.label if version else "",
        )
        for item in items.order_by("pk")
        for version in [scores.get(item.submission.pk) if item.submission else None]
    ]
    return sorted(
        rated, key=lambda row: (row.item.kind != SUBMISSION, -(row.means["quality"].value or 0))
    )
