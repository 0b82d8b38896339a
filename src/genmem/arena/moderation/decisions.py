"""Disqualify and reinstate submissions; rebuttals by teams, and answers to them."""

from __future__ import annotations

from django.db import transaction

from genmem.arena.accounts.models import User
from genmem.arena.auditlog.log import record
from genmem.arena.core.errors import RuleError
from genmem.arena.leaderboards.disqualification import current_decision
from genmem.arena.leaderboards.models import Decision
from genmem.arena.moderation.models import Answer, Rebuttal
from genmem.arena.submissions.models import Submission
from genmem.arena.teams.models import Membership

MAX_TEXT = 10_000
"""Characters in a reason, a note or a rebuttal."""


def decide(
    submission: Submission, kind: str, *, reason: str, by: User | None, label: str = ""
) -> Decision:
    """Disqualify a submission, or reinstate it.

    Args:
        submission: which.
        kind: "disqualified" or "reinstated".
        reason: shown to the team.
        by: the organizer; None on the server's command line.
        label: what it was found to be, shown to the team; "" to say nothing.

    Raises:
        RuleError: there is no reason, or this decision is in force already.
    """
    reason = require_text(reason, "a reason; the team reads it")
    with transaction.atomic():
        Submission.objects.select_for_update().get(pk=submission.pk)
        current = current_decision(submission)
        if kind == (current.kind if current else "reinstated"):
            raise RuleError(
                "It is disqualified already."
                if kind == "disqualified"
                else "It is not disqualified."
            )
        decision = Decision.objects.create(
            submission=submission, kind=kind, by=by, reason=reason, label=label
        )
        record(
            submission.team.competition,
            actor=by,
            action="disqualify" if kind == "disqualified" else "reinstate",
            subject=log_subject(submission),
            before={"decision": current.kind} if current else None,
            after={"decision": kind, "label": label, "reason": reason},
        )
    return decision


def rebut(decision: Decision, *, text: str, by: User) -> Rebuttal:
    """Add a team's rebuttal of the disqualification of its submission.

    Raises:
        RuleError: `by` is not in the team, the decision is no longer in force, or the team
            has rebutted it already.
    """
    submission = decision.submission
    text = require_text(text, "what the organizers should know")
    with transaction.atomic():
        Submission.objects.select_for_update().get(pk=submission.pk)
        if not Membership.objects.filter(team=submission.team, user=by).exists():
            raise RuleError("Only members of its team may answer to a decision.")
        current = current_decision(submission)
        if decision.kind != "disqualified" or current is None or current.pk != decision.pk:
            raise RuleError("This decision is no longer in force.")
        if Rebuttal.objects.filter(decision=decision).exists():
            raise RuleError("Your team has answered to this decision already.")
        rebuttal = Rebuttal.objects.create(decision=decision, by=by, text=text)
        record(
            submission.team.competition, actor=by, action="rebut", subject=log_subject(submission)
        )
    return rebuttal


def answer_rebuttal(rebuttal: Rebuttal, *, text: str, by: User) -> Answer:
    """Add the organizers' answer to a rebuttal.

    Raises:
        RuleError: there is no text, or the rebuttal has an answer already.
    """
    submission = rebuttal.decision.submission
    text = require_text(text, "an answer; the team reads it")
    with transaction.atomic():
        Submission.objects.select_for_update().get(pk=submission.pk)
        if Answer.objects.filter(rebuttal=rebuttal).exists():
            raise RuleError("This rebuttal has an answer already.")
        answer = Answer.objects.create(rebuttal=rebuttal, by=by, text=text)
        record(
            submission.team.competition,
            actor=by,
            action="answer rebuttal",
            subject=log_subject(submission),
            after={"answer": text},
        )
    return answer


def log_subject(submission: Submission) -> str:
    """How the audit log names a submission; its id comes first, so that it can be searched for."""
    return f"{submission.pk} {submission.original_name}"


def require_text(text: str, expected: str) -> str:
    """Return a user's text without surrounding blanks.

    Raises:
        RuleError: it is empty or too long.
    """
    text = text.strip()
    if not text:
        raise RuleError(f"Write {expected}.")
    if len(text) > MAX_TEXT:
        raise RuleError(f"Write at most {MAX_TEXT:,} characters, not {len(text):,}.")
    return text
