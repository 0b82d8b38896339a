"""The tables of what people judged: labels, decisions, ratings."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from genmem.arena.export.schema import COUNT, NUMBER, TEXT, TIME, YES_NO, Field, Scope, Table, pa
from genmem.arena.leaderboards.disqualification import disqualified_ids
from genmem.arena.leaderboards.models import Decision
from genmem.arena.moderation.models import Label
from genmem.arena.ratings.models import Round
from genmem.arena.ratings.results import rating_rows

Row = dict[str, Any]
_CHUNK = 2000


def _labels(scope: Scope) -> Iterator[Row]:
    mine = Label.objects.filter(submission__team__competition=scope.competition)
    newest = {
        (submission, reviewer): pk
        for submission, reviewer, pk in mine.order_by("pk").values_list(
            "submission_id", "reviewer_id", "pk"
        )
    }
    standing = set(newest.values())
    for one in mine.select_related("reviewer").order_by("pk").iterator(chunk_size=_CHUNK):
        yield {
            "submission_id": str(one.submission_id),  # pyright: ignore[reportAttributeAccessIssue]
            "reviewer": scope.pseudonyms.person(one.reviewer),
            "label": one.label,
            "at": one.at,
            "in_force": one.pk in standing,
            "reason": one.reason,
        }


def _decisions(scope: Scope) -> Iterator[Row]:
    disqualified = disqualified_ids(scope.competition)
    rows = (
        Decision.objects.filter(submission__team__competition=scope.competition)
        .select_related("by", "submission", "rebuttal__by", "rebuttal__answer")
        .order_by("pk")
    )
    for one in rows.iterator(chunk_size=_CHUNK):
        rebuttal = getattr(one, "rebuttal", None)
        answer = getattr(rebuttal, "answer", None)
        yield {
            "decision_id": one.pk,
            "submission_id": str(one.submission.pk),
            "kind": one.kind,
            "label": one.label,
            "by": scope.pseudonyms.person(one.by) if one.by else None,
            "at": one.at,
            "disqualified_now": one.submission.pk in disqualified,
            "rebutted_at": rebuttal.at if rebuttal else None,
            "answered_at": answer.at if answer else None,
            "reason": one.reason,
            "rebuttal": rebuttal.text if rebuttal else None,
            "answer": answer.text if answer else None,
        }


def _ratings(scope: Scope) -> Iterator[Row]:
    rounds = list(Round.objects.filter(competition=scope.competition))
    for row in rating_rows(rounds):
        yield {
            "round": row.round_id,
            "rater": scope.pseudonyms.person(row.rater, agreed=row.named),
            "rater_reliable": row.rater_reliable,
            "question": row.question,
            "shown": row.shown,
            "submission_id": str(row.submission) if row.submission else None,
            "value": row.value,
            "rated_at": row.at,
            "seconds": row.seconds,
            "page": row.place,
            "repeats_page": row.repeats_place,
            "images": row.images,
        }


_SUBMISSION = Field("submission_id", TEXT, "number of the submission")

LABELS = Table(
    name="labels",
    about="What reviewers took submissions for; every label ever given.",
    rows=_labels,
    private=True,
    fields=(
        _SUBMISSION,
        Field("reviewer", TEXT, "who gave it"),
        Field("label", TEXT, "legitimate, MGAN (memorization GAN), SUP (supervised map to training "
              "images), AE (autoencoder), AUG (altered training images), or other"),
        Field("at", TIME, "when"),
        Field("in_force", YES_NO, "whether it is the reviewer's newest of this submission"),
        Field("reason", TEXT, "in the reviewer's words", True),
    ),
)  # fmt: skip
DECISIONS = Table(
    name="decisions",
    about="Disqualifications and their reversals, with the teams' answers to them.",
    rows=_decisions,
    private=True,
    fields=(
        Field("decision_id", COUNT, "number of the decision"),
        _SUBMISSION,
        Field("kind", TEXT, "disqualified or reinstated"),
        Field("label", TEXT, "what it was taken for"),
        Field("by", TEXT, "who decided; empty: on the server's command line"),
        Field("at", TIME, "when"),
        Field("disqualified_now", YES_NO, "whether the submission is off the boards now"),
        Field("rebutted_at", TIME, "when the team answered; empty: it did not"),
        Field("answered_at", TIME, "when the desk answered to that"),
        Field("reason", TEXT, "as the team was told", True),
        Field("rebuttal", TEXT, "the team's words", True),
        Field("answer", TEXT, "the desk's words", True),
    ),
)
RATINGS = Table(
    name="ratings",
    about="Ratings of quality and diversity by people who saw images and not whose they were; "
    "controls and repeated pages too.",
    rows=_ratings,
    private=True,
    fields=(
        Field("round", COUNT, "number of the rating round, see competition.json"),
        Field("rater", TEXT, "who rated"),
        Field("rater_reliable", YES_NO, "whether the rater passed the checks"),
        Field("question", TEXT, "quality or diversity"),
        Field("shown", TEXT, "entry (a submission), real (training images) or spoiled (real images "
              "with their pixels shuffled, or one of them repeated)"),
        Field("submission_id", TEXT, "number of the submission; empty for controls"),
        Field("value", COUNT, "1 (worst) to 5 (best)"),
        Field("rated_at", TIME, "when"),
        Field("seconds", NUMBER, "from the page's being drawn to the rating"),
        Field("page", COUNT, "its place in the rater's session"),
        Field("repeats_page", COUNT, "the place of the page it repeats; empty: none"),
        Field("images", pa.list_(COUNT), "which of the images drawn for the round were shown"),
    ),
)  # fmt: skip
