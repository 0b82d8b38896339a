"""Scoring again what was refused or failed, submissions and new scores, at an organiser's word."""

from __future__ import annotations

from django.db import transaction
from django.db.models import F

from genmem.arena.accounts.models import User
from genmem.arena.auditlog.log import record
from genmem.arena.competitions.models import Split
from genmem.arena.scoring.models import CodeRun, Rescore
from genmem.arena.submissions.models import Step, Submission
from genmem.errors import GenmemError


class RetryError(GenmemError):
    """This submission cannot be scored again; the message says why."""


def retry(submission: Submission, actor: User | None) -> Submission:
    """Have a submission scored again from the first step that is not done.

    Raises:
        RetryError: it is under way, or scored.
    """
    with transaction.atomic():
        found = (
            Submission.objects.select_for_update(of=("self",))
            .select_related("team__competition")
            .get(pk=submission.pk)
        )
        if found.state not in ("refused", "failed"):
            raise RetryError(
                f"Only what was refused or failed can be scored again; this is "
                f"{found.get_state_display().lower()}."  # type: ignore[attr-defined]
            )
        before = {"state": found.state, "message": found.message}
        found.state, found.message, found.counts_against_limit = "received", "", True
        found.round += 1
        found.save(update_fields=["state", "message", "counts_against_limit", "round"])
        steps = Step.objects.filter(submission=found)
        again = steps.exclude(state="done")
        if found.kind == "code" and not steps.filter(name="validate", state="done").exists():
            again = steps  # what the program made was refused: it is run once more
        again.update(state="waiting", starts=0, started_at=None, ended_at=None, log="", detail="")
        if again.filter(name="run").exists():
            CodeRun.objects.filter(submission=found).delete()
        record(
            found.team.competition,
            actor=actor,
            action="score again",
            subject=str(found),
            before=before,
            after={"state": "received", "round": found.round},
        )
    return found


def retry_anew(split: Split, actor: User | None) -> int:
    """Queue every score that could not be made anew under a split once more; how many those are."""
    with transaction.atomic():
        failed = Rescore.objects.select_for_update(of=("self",)).filter(split=split, state="failed")
        wanted = list(failed.values_list("pk", flat=True))
        if wanted:
            Rescore.objects.filter(pk__in=wanted).update(
                state="waiting", round=F("round") + 1, starts=0, detail=""
            )
            record(
                split.competition,
                actor=actor,
                action="score anew again",
                subject=str(split),
                after={"submissions": len(wanted)},
            )
    return len(wanted)


def left(split: Split) -> tuple[int, list[Rescore]]:
    """How many scores wait to be made anew under a split, and those that could not be."""
    rows = Rescore.objects.filter(split=split)
    failed = rows.filter(state="failed").select_related("submission__team").order_by("pk")
    return rows.filter(state="waiting").count(), list(failed)
