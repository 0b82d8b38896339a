"""Scores made anew by workers, where a changed split needs more than arithmetic."""

from __future__ import annotations

import time
from collections.abc import Iterable

from django.db import transaction

from genmem.arena.leaderboards.models import ScoreVersion
from genmem.arena.leaderboards.scores import add_score
from genmem.arena.scoring import evaluate, reference_features
from genmem.arena.scoring.db_retry import patiently, say
from genmem.arena.scoring.models import Rescore
from genmem.arena.scoring.steps import MOST_STARTS, full_reason
from genmem.errors import InputError


def perform_rescore(rescore_id: int, round: int) -> str:
    """Make one score anew; what a worker does.

    Returns:
        The state of the `Rescore` afterwards.
    """
    started = time.monotonic()
    outcome = patiently(lambda: _perform(rescore_id, round))
    say(f"score anew {rescore_id}: {outcome}, {time.monotonic() - started:.1f} s")
    return outcome


def _perform(rescore_id: int, round: int) -> str:
    row = Rescore.objects.select_related("split", "submission__team__competition").get(
        pk=rescore_id
    )
    if row.state != "waiting" or row.round != round:
        return row.state
    row.starts += 1
    mine = Rescore.objects.filter(pk=rescore_id, round=round, state="waiting")
    if not mine.update(starts=row.starts):
        return Rescore.objects.get(pk=rescore_id).state
    try:
        if row.starts > MOST_STARTS:
            raise reference_features.SplitError(
                "begun too often: each time the worker died or was lost"
            )
        _score(row)
        row.state, row.detail = "done", ""
    except (reference_features.SplitError, InputError, FileNotFoundError) as error:
        row.state, row.detail = "failed", full_reason(error)
    mine.update(state=row.state, detail=row.detail)  # unless it was begun again meanwhile
    return row.state


def _score(row: Rescore) -> None:
    split, submission = row.split, row.submission
    space = reference_features.space_of(split)
    evaluate.make_features(
        submission.pk,
        submission.images_zip,
        split,
        space,
        count=submission.team.competition.image_count,
        told=None,
    )
    found = evaluate.score_in(submission.pk, split, space)
    with transaction.atomic():
        Rescore.objects.select_for_update().get(pk=row.pk)
        if ScoreVersion.objects.filter(submission=submission, split=split).exists():
            return
        add_score(
            submission,
            split,
            fd=found.fd,
            distance=found.distance,
            score=found.score,
            tau=split.tau,
            epsilon=split.epsilon,
            weights_sha256=space.weights_sha256,
            distances=evaluate.distances_name(submission.pk, space),
            reason=row.reason,
        )


def waiting(limit: int) -> Iterable[Rescore]:
    """The next scores to be made anew."""
    rows = Rescore.objects.filter(state="waiting").select_related("split")
    return rows.order_by("pk")[:limit]
