"""The book of steps: what was begun, what is done, how a submission ended.

A step is begun, worked on and finished; begin and finish are transactions on its row, and whoever
finds it finished leaves it alone. So a step may be begun again after any death, and by another
worker while the first one still lives: what it leaves in the database is there once.
"""

from __future__ import annotations

import traceback
import uuid
from dataclasses import dataclass, field
from datetime import datetime

from django.db import transaction

from genmem.arena.core import clock
from genmem.arena.submissions.models import Step, Submission
from genmem.formatting import count

MOST_STARTS = 5
"""A step that was begun so often without an end takes its worker down: it is not begun again."""

UNDER_WAY = ("received", "scoring")

OURS = (
    "This could not be scored, and it is not the submission's fault. The organisers see why, and "
    "can have it scored again."
)
"""What a team is told when a step fails for a reason that may name the organiser's files."""


class Refusal(Exception):  # noqa: N818
    """The submission is at fault; the message is for its team."""


class Failure(Exception):  # noqa: N818
    """Nobody's fault but ours, and trying again changes nothing; the message is for organisers."""


@dataclass(kw_only=True)
class Work:
    """One attempt at a step.

    Attributes:
        submission: what it is done for.
        name: the step's.
        started_at: when this attempt began.
        log: lines for the team, kept when the step ends.
        detail: lines for the organisers.
    """

    submission: Submission
    name: str
    started_at: datetime
    log: list[str] = field(default_factory=list)
    detail: list[str] = field(default_factory=list)


def begin(submission_id: uuid.UUID, round: int, name: str, *, again: bool = False) -> Work | None:
    """Open a step; None where there is nothing to do: done already, or the submission has ended.

    Args:
        submission_id: whose.
        round: of its scoring; None is given for any other than the present one.
        name: the step's.
        again: the same process tries once more, so that this is no new start.

    Raises:
        Failure: it was begun too often.
    """
    with transaction.atomic():
        submission = (
            Submission.objects.select_for_update(of=("self",))
            .select_related("team__competition")
            .get(pk=submission_id)
        )
        if submission.state not in UNDER_WAY or submission.round != round:
            return None
        step, _ = Step.objects.get_or_create(submission=submission, name=name)
        if step.state == "done":
            return None
        now = clock.now()
        step.starts += 0 if again else 1
        step.state, step.started_at, step.ended_at = "running", now, None
        times = count(step.starts, "time")
        step.log = f"Begun {times}: a worker ended before." if step.starts > 1 else ""
        step.save()
        if submission.state == "received" and name != "run":
            submission.state = "scoring"
            submission.message = ""
            submission.save(update_fields=["state", "message"])
    if step.starts > MOST_STARTS:
        raise Failure(
            f"{name} was begun {MOST_STARTS} times, and each time the worker died or was lost"
        )
    return Work(submission=submission, name=name, started_at=now)


def finish(work: Work) -> bool:
    """Mark a step done, inside the transaction that writes what it found; False: it was already."""
    submission = Submission.objects.select_for_update(of=("self",)).get(pk=work.submission.pk)
    step = Step.objects.select_for_update().get(submission=submission, name=work.name)
    if step.state == "done" or submission.state not in UNDER_WAY:
        return False
    step.state, step.ended_at = "done", clock.now()
    step.log = _joined(step.log, work.log)
    step.detail = "\n".join(work.detail)
    step.save()
    return True


def tell(work: Work, text: str) -> None:
    """Show how far a step is; the next such line replaces it."""
    Step.objects.filter(submission=work.submission, name=work.name, state="running").update(
        log=_joined("", [*work.log, text])
    )


def end(
    submission_id: uuid.UUID,
    round: int,
    state: str,
    message: str,
    *,
    step: str = "",
    log: str = "",
    detail: str = "",
) -> None:
    """End a submission that cannot be scored, unless it has ended already.

    Args:
        submission_id: which.
        round: of its scoring; a later round is left alone.
        state: "refused" or "failed".
        message: shown to the team.
        step: the step that ended it; "" where none did.
        log: of that step, for the team.
        detail: of that step, for the organisers.
    """
    with transaction.atomic():
        submission = Submission.objects.select_for_update(of=("self",)).get(pk=submission_id)
        if submission.state not in UNDER_WAY or submission.round != round:
            return
        submission.state, submission.message = state, message
        submission.counts_against_limit = False
        submission.save(update_fields=["state", "message", "counts_against_limit"])
        now = clock.now()
        running = Step.objects.filter(submission=submission, state="running")
        for row in Step.objects.filter(submission=submission, name=step).exclude(state="done"):
            row.state, row.ended_at = "failed", now
            row.log, row.detail = _joined(row.log, [log] if log else []), detail
            row.save()
        running.update(state="failed", ended_at=now)


def full_reason(error: BaseException) -> str:
    """An error for the organisers: what it says, and where it was raised."""
    return "".join(traceback.format_exception(error))[-8000:]


def _joined(before: str, lines: list[str]) -> str:
    kept = [line for line in (before.strip(), *lines) if line]
    return "\n".join(kept)
