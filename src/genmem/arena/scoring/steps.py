"""The rows of steps: begun, finished, or failed with their submission.

Beginning and finishing a step are transactions on its row, and a finished step is never done again.
So a step may be begun again after any death, and by another worker while the first still runs: what
it writes to the database is there once.
"""

from __future__ import annotations

import traceback
from dataclasses import dataclass, field

from django.db import transaction

from genmem.arena.core import clock
from genmem.arena.scoring.errors import SetupError
from genmem.arena.scoring.retry import MAX_ATTEMPTS
from genmem.arena.submissions.models import Step, Submission

UNDER_WAY = ("received", "scoring")
"""States of submissions that are still to be scored."""

FAILED_MESSAGE = (
    "This could not be scored, and it is not the submission's fault. The organizers see why, and "
    "can have it scored again."
)
"""Shown to a team instead of an error that may name the organizers' files."""


@dataclass(kw_only=True)
class Attempt:
    """One attempt at a step.

    Attributes:
        submission: to be scored.
        name: of the step.
        number: 1 for the first attempt.
        log: lines for the team, written when the step is finished.
        detail: lines for the organizers, written when the step is finished.
    """

    submission: Submission
    name: str
    number: int
    log: list[str] = field(default_factory=list)
    detail: list[str] = field(default_factory=list)


def begin(submission: Submission, name: str) -> Attempt | None:
    """Begin a step.

    Args:
        submission: as claimed; its `round` is the one that the caller works on.
        name: of the step.

    Returns:
        None if nothing is to be done: the step is done, the submission has ended, or a later round
        of its scoring has begun.

    Raises:
        SetupError: all attempts are used up.
    """
    with transaction.atomic():
        current = _lock(submission)
        if current is None:
            return None
        step, _ = Step.objects.get_or_create(submission=current, name=name)
        if step.state == "done":
            return None
        step.attempts += 1
        step.state, step.started_at, step.ended_at = "running", clock.now(), None
        step.log = f"Attempt {step.attempts}." if step.attempts > 1 else ""
        step.save()
        if current.state == "received" and name != "run":
            current.state, current.message = "scoring", ""
            current.save(update_fields=["state", "message"])
    if step.attempts > MAX_ATTEMPTS:
        reason = step.detail or "the worker died or was lost each time"
        raise SetupError(f"{name} failed after {MAX_ATTEMPTS} attempts: {reason}")
    return Attempt(submission=current, name=name, number=step.attempts)


def finish(attempt: Attempt) -> bool:
    """Mark a step as done, inside the transaction that writes its result.

    Returns:
        False if nothing may be written: the step is done already, the submission has ended, or a
        later round of its scoring has begun.
    """
    if _lock(attempt.submission) is None:
        return False
    step = Step.objects.select_for_update().get(submission=attempt.submission, name=attempt.name)
    if step.state == "done":
        return False
    step.state, step.ended_at = "done", clock.now()
    step.log = _lines(step.log, *attempt.log)
    step.detail = "\n".join(attempt.detail)
    step.save()
    return True


def show_progress(attempt: Attempt, text: str) -> None:
    """Show the team how far a step is; replaces the previous text."""
    _running(attempt).update(log=_lines(*attempt.log, text))


def note_error(attempt: Attempt, error: BaseException) -> None:
    """Show organizers why an attempt failed, while the step is retried."""
    _running(attempt).update(detail=full_reason(error))


def refuse(submission: Submission, step: str, message: str, *, log: str = "") -> None:
    """End a submission that is itself at fault, unless it has ended.

    Args:
        submission: as claimed.
        step: name of the step that refuses it.
        message: shown to the team.
        log: log of the step; `message` if "".
    """
    _end(submission, step, "refused", message, log=log or message)


def fail(submission: Submission, step: str, detail: str) -> None:
    """End a submission that cannot be scored, unless it has ended.

    Args:
        submission: as claimed.
        step: name of the step that failed.
        detail: shown to organizers only.
    """
    _end(submission, step, "failed", FAILED_MESSAGE, detail=detail)


def _end(
    submission: Submission, name: str, state: str, message: str, *, log: str = "", detail: str = ""
) -> None:
    with transaction.atomic():
        current = _lock(submission)
        if current is None:
            return
        current.state, current.message, current.counts_against_limit = state, message, False
        current.save(update_fields=["state", "message", "counts_against_limit"])
        now = clock.now()
        for step in Step.objects.filter(submission=current, name=name).exclude(state="done"):
            step.state, step.ended_at = "failed", now
            step.log, step.detail = _lines(step.log, log), detail
            step.save()
        Step.objects.filter(submission=current, state="running").update(
            state="failed", ended_at=now
        )


def _lock(submission: Submission) -> Submission | None:
    """The locked row of a submission; None if it has ended or a later round has begun."""
    rows = Submission.objects.select_for_update(of=("self",))
    return (
        rows.select_related("team__competition")
        .filter(pk=submission.pk, round=submission.round, state__in=UNDER_WAY)
        .first()
    )


def full_reason(error: BaseException) -> str:
    """An error for organizers: its traceback, cut to the last 8,000 characters."""
    return "".join(traceback.format_exception(error))[-8000:]


def _running(attempt: Attempt):
    return Step.objects.filter(submission=attempt.submission, name=attempt.name, state="running")


def _lines(*lines: str) -> str:
    return "\n".join(line for line in map(str.strip, lines) if line)
