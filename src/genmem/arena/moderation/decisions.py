"""Taking submissions off the boards and putting them back; rebuttals, and answers to them."""

from __future__ import annotations

from django.db import transaction

from genmem.arena.accounts.models import User
from genmem.arena.auditlog.log import record
from genmem.arena.leaderboards.disqualification import current_decision
from genmem.arena.leaderboards.models import Decision
from genmem.arena.moderation.models import Answer, Rebuttal
from genmem.arena.submissions.models import Submission
from genmem.arena.teams.models import Membership
from genmem.errors import GenmemError

LONGEST_TEXT = 10_000
"""Characters in a reason, a note or a rebuttal."""


class DeskError(GenmemError):
    """This cannot be done at the desk; the message says why."""


def decide(
    submission: Submission, kind: str, *, reason: str, by: User | None, label: str = ""
) -> Decision:
    """Disqualify a submission, or put it back.

    Args:
        submission: of which.
        kind: "disqualified" or "reinstated".
        reason: shown to the team.
        by: the organiser; None on the server's command line.
        label: what it was taken for, shown to the team; or "".
    """
    reason = checked(reason, "a reason, which the team reads")
    with transaction.atomic():
        Submission.objects.select_for_update().get(pk=submission.pk)
        current = current_decision(submission)
        standing = current.kind if current else "reinstated"
        if standing == kind:
            raise DeskError(
                "It is disqualified already." if kind == "disqualified" else "It stands already."
            )
        made = Decision.objects.create(
            submission=submission, kind=kind, by=by, reason=reason, label=label
        )
        record(
            submission.team.competition,
            actor=by,
            action="disqualify" if kind == "disqualified" else "reinstate",
            subject=subject_of(submission),
            before={"decision": current.kind} if current else None,
            after={"decision": kind, "label": label, "reason": reason},
        )
    return made


def rebut(decision: Decision, *, text: str, by: User) -> Rebuttal:
    """What a team says to a decision on its submission: once, while the decision stands."""
    submission = decision.submission
    text = checked(text, "what the desk should know")
    with transaction.atomic():
        Submission.objects.select_for_update().get(pk=submission.pk)
        if not Membership.objects.filter(team=submission.team, user=by).exists():
            raise DeskError("Only its team may answer to a decision.")
        current = current_decision(submission)
        if decision.kind != "disqualified" or current is None or current.pk != decision.pk:
            raise DeskError("This decision no longer stands.")
        if Rebuttal.objects.filter(decision=decision).exists():
            raise DeskError("Your team has answered to this decision; the desk will reply.")
        made = Rebuttal.objects.create(decision=decision, by=by, text=text)
        record(
            submission.team.competition, actor=by, action="rebut", subject=subject_of(submission)
        )
    return made


def answer(rebuttal: Rebuttal, *, text: str, by: User) -> Answer:
    """The desk's answer to a rebuttal, once."""
    submission = rebuttal.decision.submission
    text = checked(text, "an answer, which the team reads")
    with transaction.atomic():
        Submission.objects.select_for_update().get(pk=submission.pk)
        if Answer.objects.filter(rebuttal=rebuttal).exists():
            raise DeskError("This rebuttal is answered already.")
        made = Answer.objects.create(rebuttal=rebuttal, by=by, text=text)
        record(
            submission.team.competition,
            actor=by,
            action="answer rebuttal",
            subject=subject_of(submission),
            after={"answer": text},
        )
    return made


def subject_of(submission: Submission) -> str:
    """How the log names a submission: its number first, so that it can be searched for."""
    return f"{submission.pk} {submission.original_name}"


def checked(text: str, expected: str) -> str:
    """A text that somebody wrote, without blanks around it.

    Raises:
        DeskError: it is empty or too long.
    """
    text = text.strip()
    if not text:
        raise DeskError(f"Write {expected}.")
    if len(text) > LONGEST_TEXT:
        raise DeskError(f"Write at most {LONGEST_TEXT:,} characters, not {len(text):,}.")
    return text
