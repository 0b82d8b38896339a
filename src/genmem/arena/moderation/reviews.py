"""Add a reviewer's labels and notes."""

from __future__ import annotations

from django.db import transaction

from genmem.arena.accounts.models import User
from genmem.arena.auditlog.log import record
from genmem.arena.core.errors import RuleError
from genmem.arena.moderation.consensus import LEGITIMATE
from genmem.arena.moderation.decisions import (
    MAX_TEXT,
    log_subject,
    require_text,
)
from genmem.arena.moderation.models import LABELS, Label, Note
from genmem.arena.submissions.models import Submission


def add_label(submission: Submission, label: str, *, reason: str, by: User) -> Label:
    """Add a reviewer's label; it replaces an earlier one by the same reviewer.

    Args:
        submission: a scored submission.
        label: one of `LABELS`.
        reason: required for a label of copying.
        by: the reviewer.

    Raises:
        RuleError: the label is unknown, the submission is not scored, or there is no reason.
    """
    if label not in dict(LABELS):
        raise RuleError("Choose one of the labels.")
    if submission.state != "scored":
        raise RuleError("Only scored submissions are reviewed.")
    if label != LEGITIMATE:
        reason = require_text(reason, "a reason: what shows that it copies")
    elif len(reason := reason.strip()) > MAX_TEXT:
        raise RuleError(f"Write at most {MAX_TEXT:,} characters, not {len(reason):,}.")
    with transaction.atomic():
        Submission.objects.select_for_update().get(pk=submission.pk)
        before = Label.objects.filter(submission=submission, reviewer=by).order_by("-pk").first()
        if before and (before.label, before.reason) == (label, reason):
            return before
        added = Label.objects.create(submission=submission, reviewer=by, label=label, reason=reason)
        record(
            submission.team.competition,
            actor=by,
            action="label",
            subject=log_subject(submission),
            before={"label": before.label, "reason": before.reason} if before else None,
            after={"label": label, "reason": reason},
        )
    return added


def add_note(submission: Submission, text: str, *, by: User) -> Note:
    """Add a note for other reviewers; the audit log does not hold its text."""
    text = require_text(text, "a note")
    with transaction.atomic():
        note = Note.objects.create(submission=submission, by=by, text=text)
        record(
            submission.team.competition, actor=by, action="note", subject=log_subject(submission)
        )
    return note
