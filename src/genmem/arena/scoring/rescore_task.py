"""Rescores that workers do, where a changed split needs more than arithmetic."""

from __future__ import annotations

import logging
import time

from django.db import transaction

from genmem.arena.core.heartbeat import beat, watch
from genmem.arena.leaderboards.models import ScoreVersion
from genmem.arena.scoring import evaluate, reference_features
from genmem.arena.scoring.db_retry import close_connection, wait_for_database
from genmem.arena.scoring.errors import SetupError, SubmissionError
from genmem.arena.scoring.models import Rescore
from genmem.arena.scoring.pipeline import save_score
from genmem.arena.scoring.retry import MAX_ATTEMPTS, RETRY_PAUSE
from genmem.arena.scoring.steps import full_reason
from genmem.errors import InputError

logger = logging.getLogger(__name__)


def run_rescore(rescore_id: int) -> str:
    """Attempt a rescore, unless it has ended.

    Returns:
        The state of the `Rescore` afterwards: "waiting" if it is to be attempted again.
    """
    with watch(f"rescore {rescore_id}"):
        return _run(rescore_id)


def _run(rescore_id: int) -> str:
    started = time.monotonic()
    row = wait_for_database(lambda: _begin(rescore_id))
    if row.state == "waiting":
        try:
            if row.attempts > MAX_ATTEMPTS:
                reason = row.detail or "the worker died or was lost each time"
                raise SetupError(f"failed after {MAX_ATTEMPTS} attempts: {reason}")
            wait_for_database(lambda: _score(row))
            row.state, row.detail = "done", ""
        except (SetupError, SubmissionError, InputError, FileNotFoundError) as error:
            row.state, row.detail = "failed", full_reason(error)
        except Exception as error:  # may be temporary: a full disk, storage that does not answer
            close_connection()
            row.detail = full_reason(error)
            time.sleep(RETRY_PAUSE * row.attempts)
        # Unless it was begun again meanwhile.
        mine = Rescore.objects.filter(pk=row.pk, state="waiting", attempts=row.attempts)
        wait_for_database(lambda: mine.update(state=row.state, detail=row.detail))
    logger.info("rescore %s: %s, %.1f s", rescore_id, row.state, time.monotonic() - started)
    return row.state


def _begin(rescore_id: int) -> Rescore:
    with transaction.atomic():
        rows = Rescore.objects.select_for_update(of=("self",))
        row = rows.select_related("split", "submission__team__competition").get(pk=rescore_id)
        if row.state == "waiting":
            row.attempts += 1
            row.save(update_fields=["attempts"])
    return row


def _score(row: Rescore) -> None:
    split, submission = row.split, row.submission
    space = reference_features.space_of(split, progress=_progress)
    evaluate.compute_features(submission, split, space, progress=_progress)
    scores = evaluate.score_in(submission.pk, split, space)
    with transaction.atomic():
        Rescore.objects.select_for_update().get(pk=row.pk)
        # A newer version of the split may have its score already, where another worker was quicker.
        done = ScoreVersion.objects.filter(
            submission=submission,
            split__competition=split.competition,
            split__kind=split.kind,
            split__version__gte=split.version,
        )
        if not done.exists():
            save_score(submission, split, space, scores, reason=row.reason)


def _progress(stage: str, done: int, total: int | None) -> None:
    del stage, done, total
    beat()
