"""Labels and notes of reviewers."""

from __future__ import annotations

import uuid
from collections.abc import Mapping

from django.db import transaction

from genmem.arena.accounts.models import User
from genmem.arena.auditlog.log import record
from genmem.arena.competitions.models import Competition
from genmem.arena.moderation.consensus import LEGITIMATE, Verdict, verdict
from genmem.arena.moderation.decisions import LONGEST_TEXT, DeskError, checked, subject_of
from genmem.arena.moderation.models import LABELS, Label, Note
from genmem.arena.submissions.models import Submission


def add_label(submission: Submission, label: str, *, reason: str, by: User) -> Label:
    """A reviewer's label, in place of an earlier one of theirs.

    A label of copying needs a reason; that of a legitimate submission may have one.
    """
    if label not in dict(LABELS):
        raise DeskError("Choose one of the labels.")
    if submission.state != "scored":
        raise DeskError("Only scored submissions are reviewed.")
    if label != LEGITIMATE:
        reason = checked(reason, "a reason: what shows that it copies")
    elif len(reason := reason.strip()) > LONGEST_TEXT:
        raise DeskError(f"Write at most {LONGEST_TEXT:,} characters, not {len(reason):,}.")
    with transaction.atomic():
        Submission.objects.select_for_update().get(pk=submission.pk)
        before = Label.objects.filter(submission=submission, reviewer=by).order_by("-pk").first()
        if before and (before.label, before.reason) == (label, reason):
            return before
        made = Label.objects.create(submission=submission, reviewer=by, label=label, reason=reason)
        record(
            submission.team.competition,
            actor=by,
            action="label",
            subject=subject_of(submission),
            before={"label": before.label, "reason": before.reason} if before else None,
            after={"label": label, "reason": reason},
        )
    return made


def add_note(submission: Submission, text: str, *, by: User) -> Note:
    """A remark for the other reviewers; its text is not in the log."""
    text = checked(text, "a note")
    with transaction.atomic():
        made = Note.objects.create(submission=submission, by=by, text=text)
        record(submission.team.competition, actor=by, action="note", subject=subject_of(submission))
    return made


def labels_in_force(submission: Submission) -> list[Label]:
    """Each reviewer's newest label, in the order they were given."""
    newest: dict[int, Label] = {}
    for one in Label.objects.filter(submission=submission).select_related("reviewer"):
        kept = newest.get(one.reviewer.pk)
        if kept is None or one.pk > kept.pk:
            newest[one.reviewer.pk] = one
    return sorted(newest.values(), key=lambda one: one.pk)


def labels_of_all(competition: Competition) -> dict[uuid.UUID, dict[int, str]]:
    """By submission, by reviewer: the label in force."""
    found: dict[uuid.UUID, dict[int, str]] = {}
    rows = (
        Label.objects.filter(submission__team__competition=competition)
        .order_by("pk")
        .values_list("submission_id", "reviewer_id", "label")
    )
    for submission, reviewer, label in rows.iterator():
        found.setdefault(submission, {})[reviewer] = label
    return found


def verdicts(labels: Mapping[uuid.UUID, Mapping[int, str]]) -> dict[uuid.UUID, Verdict]:
    """What the labels of each submission come to."""
    return {submission: verdict(of.values()) for submission, of in labels.items()}
