"""Pages: the review of one submission, with its images, scores, code, labels and decisions."""

from __future__ import annotations

import uuid
from collections.abc import Callable

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST, require_safe

from genmem.arena.accounts.models import User
from genmem.arena.competitions.models import Split
from genmem.arena.core.errors import RuleError
from genmem.arena.leaderboards.leaderboard import ranked_submissions
from genmem.arena.leaderboards.models import Decision, ScoreVersion
from genmem.arena.leaderboards.scores import scores_in_force
from genmem.arena.moderation.consensus import consensus_of
from genmem.arena.moderation.decisions import decide
from genmem.arena.moderation.gallery import gallery
from genmem.arena.moderation.models import LABEL_MEANINGS, LABELS, Note
from genmem.arena.moderation.permissions import organizer_required, reviewer_required
from genmem.arena.moderation.reviews import add_label, add_note
from genmem.arena.moderation.selectors import current_labels, queue_of
from genmem.arena.moderation.source_view import run_log, source_files
from genmem.arena.moderation.views import top_size
from genmem.arena.submissions.models import Step, Submission, steps_of
from genmem.arena.teams.permissions import Viewer

KEYS = dict(zip((name for name, _ in LABELS), "lmsauo", strict=True))
"""The keyboard key of each label."""


@require_safe
@reviewer_required
def review(request: HttpRequest, viewer: Viewer, user: User, pk: uuid.UUID) -> HttpResponse:
    """Everything a reviewer needs to label one submission."""
    submission = _submission(viewer, pk)
    labels = current_labels(submission)
    scores = scores_in_force([submission], private=True).get(submission.pk, {})
    kind = request.GET.get("split") or ("private" if "private" in scores else "public")
    decisions = list(
        Decision.objects.filter(submission=submission)
        .select_related("by", "rebuttal__by", "rebuttal__answer__by")
        .order_by("-pk")
    )
    queue = queue_of(viewer.competition, top=top_size(request))
    item = next((row for row in queue.to_review if row.submission.id == str(pk)), None)
    finals = ranked_submissions(viewer.competition, "private")
    context = {
        "viewer": viewer,
        "submission": submission,
        "labels": labels,
        "consensus": consensus_of(label.label for label in labels),
        "own_label": next((label for label in labels if label.reviewer.pk == user.pk), None),
        "choices": [(name, title, LABEL_MEANINGS[name], KEYS[name]) for name, title in LABELS],
        "scores": scores,
        "history": ScoreVersion.objects.filter(submission=submission)
        .select_related("split")
        .order_by("-pk"),
        "kind": kind,
        "gallery": gallery(scores[kind]) if kind in scores else None,
        "source_files": source_files(submission),
        "run_log": run_log(submission) if submission.kind == "code" else "",
        "steps": _steps_with_log(submission),
        "notes": Note.objects.filter(submission=submission).select_related("by").order_by("pk"),
        "decisions": decisions,
        "disqualified": bool(decisions) and decisions[0].kind == "disqualified",
        "rank": item.rank if item else None,
        "final": any(row.id == str(pk) for row in finals),
        "queue": queue,
    }
    return render(request, "moderation/review.html", context)


@require_safe
@reviewer_required
def image(
    request: HttpRequest,
    viewer: Viewer,
    user: User,
    pk: uuid.UUID,
    kind: str,
    position: int,
    origin: str,
) -> HttpResponse:
    """One image of the gallery: a submitted one, or the training image nearest to it."""
    submission = _submission(viewer, pk)
    version = scores_in_force([submission], private=True).get(submission.pk, {}).get(kind)
    pairs = gallery(version) if version is not None and kind in dict(Split.KINDS) else None
    if (
        pairs is None
        or position >= len(pairs.pairs)
        or origin not in ("submitted", "training")
        or (content := getattr(pairs.pairs[position], origin)) is None
    ):
        raise Http404
    headers = {"Cache-Control": "private, max-age=600"}
    return HttpResponse(content, content_type="image/png", headers=headers)


@require_POST
@reviewer_required
def label(request: HttpRequest, viewer: Viewer, user: User, pk: uuid.UUID) -> HttpResponse:
    """Add the viewer's label."""
    submission = _submission(viewer, pk)
    name, reason = request.POST.get("label", ""), request.POST.get("reason", "")
    saved = _save(
        request, lambda: add_label(submission, name, reason=reason, by=user), "Label saved."
    )
    if saved and "next" in request.POST:
        return redirect("next submission", viewer.competition.slug)
    return redirect("review", viewer.competition.slug, pk)


@require_POST
@reviewer_required
def note(request: HttpRequest, viewer: Viewer, user: User, pk: uuid.UUID) -> HttpResponse:
    """Add a note for other reviewers."""
    submission, text = _submission(viewer, pk), request.POST.get("text", "")
    _save(request, lambda: add_note(submission, text, by=user), "Note added.")
    return redirect("review", viewer.competition.slug, pk)


@require_POST
@organizer_required
def decision(request: HttpRequest, viewer: Viewer, user: User, pk: uuid.UUID) -> HttpResponse:
    """Disqualify or reinstate the submission."""
    submission = _submission(viewer, pk)
    kind = "reinstated" if request.POST.get("kind") == "reinstated" else "disqualified"
    consensus = consensus_of(label.label for label in current_labels(submission))
    copying_label = consensus.label if kind == "disqualified" and consensus.copying else ""
    reason = request.POST.get("reason", "")
    _save(
        request,
        lambda: decide(submission, kind, reason=reason, by=user, label=copying_label),
        f"The submission is {kind}.",
    )
    return redirect("review", viewer.competition.slug, pk)


def _submission(viewer: Viewer, pk: uuid.UUID) -> Submission:
    """A submission of the competition, or 404."""
    return get_object_or_404(
        Submission.objects.select_related("team", "team__competition", "author"),
        pk=pk,
        team__competition=viewer.competition,
    )


def _steps_with_log(submission: Submission) -> list[Step]:
    steps = {step.name: step for step in Step.objects.filter(submission=submission)}
    names = steps_of(submission.kind)
    return [steps[name] for name in names if name in steps and steps[name].log]


def _save(request: HttpRequest, change: Callable[[], object], success: str) -> bool:
    try:
        change()
    except RuleError as error:
        messages.error(request, str(error))
        return False
    messages.success(request, success)
    return True
