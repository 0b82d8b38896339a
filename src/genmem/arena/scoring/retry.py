"""Retries: how often workers retry by themselves, and retrying on an organizer's request."""

from __future__ import annotations

from django.db import transaction

from genmem.arena.accounts.models import User
from genmem.arena.auditlog.log import record
from genmem.arena.competitions.models import Split
from genmem.arena.scoring.models import CodeRun, Rescore
from genmem.arena.submissions.models import Step, Submission
from genmem.errors import UsageError

MAX_ATTEMPTS = 5
"""Attempts at a step, a run of code or a rescore before it fails, whether the attempt raised an
error or its worker died. Waiting for the database is no attempt."""

RETRY_PAUSE = 2.0
"""Seconds that a worker waits after an attempt raised an error, times the number of attempts."""


def retry_submission(submission: Submission, actor: User | None) -> Submission:
    """Have a refused or failed submission scored again from its first unfinished step.

    Args:
        submission: to be scored again.
        actor: who asked, for the audit log; None on the command line.

    Raises:
        UsageError: it is being scored, or has been.
    """
    with transaction.atomic():
        row = (
            Submission.objects.select_for_update(of=("self",))
            .select_related("team__competition")
            .get(pk=submission.pk)
        )
        if row.state not in ("refused", "failed"):
            raise UsageError(
                "Only a refused or failed submission can be scored again; this one is "
                f"{row.get_state_display().lower()}."  # type: ignore[attr-defined]
            )
        before = {"state": row.state, "message": row.message}
        row.state, row.message, row.counts_against_limit = "received", "", True
        row.round += 1
        row.save(update_fields=["state", "message", "counts_against_limit", "round"])
        steps = Step.objects.filter(submission=row)
        unfinished = steps.exclude(state="done")
        if row.kind == "code" and not steps.filter(name="validate", state="done").exists():
            unfinished = steps  # the images made by the program were refused: run it again
        unfinished.update(
            state="waiting", attempts=0, started_at=None, ended_at=None, log="", detail=""
        )
        if unfinished.filter(name="run").exists():
            CodeRun.objects.filter(submission=row).delete()
        record(
            row.team.competition,
            actor=actor,
            action="score again",
            subject=str(row),
            before=before,
            after={"state": "received", "round": row.round},
        )
    return row


def retry_rescores(split: Split, actor: User | None) -> int:
    """Queue the failed rescores of a split again.

    Args:
        split: the version of a split.
        actor: who asked, for the audit log; None on the command line.

    Returns:
        The number of rescores.
    """
    with transaction.atomic():
        failed = Rescore.objects.select_for_update(of=("self",)).filter(split=split, state="failed")
        pks = list(failed.values_list("pk", flat=True))
        if pks:
            Rescore.objects.filter(pk__in=pks).update(state="waiting", attempts=0, detail="")
            record(
                split.competition,
                actor=actor,
                action="retry rescores",
                subject=str(split),
                after={"submissions": len(pks)},
            )
    return len(pks)


def rescore_progress(split: Split) -> tuple[int, list[Rescore]]:
    """The number of waiting rescores of a split, and its failed ones."""
    rows = Rescore.objects.filter(split=split)
    failed = rows.filter(state="failed").select_related("submission__team").order_by("pk")
    return rows.filter(state="waiting").count(), list(failed)
