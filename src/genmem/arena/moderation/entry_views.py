"""One entry: its suspects, scores, code and history; labels, notes and the decision."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Sequence

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from genmem.arena.competitions.models import Split
from genmem.arena.leaderboards.models import Decision, ScoreVersion
from genmem.arena.leaderboards.scores import scores_in_force
from genmem.arena.moderation.consensus import verdict
from genmem.arena.moderation.decisions import DeskError, decide
from genmem.arena.moderation.gallery import gallery
from genmem.arena.moderation.models import LABEL_MEANINGS, LABELS, Note
from genmem.arena.moderation.queue import Item
from genmem.arena.moderation.reviews import add_label, add_note, labels_in_force
from genmem.arena.moderation.selectors import entries_standing, queue_now
from genmem.arena.moderation.source_view import code_of, log_of
from genmem.arena.moderation.views import submission_at, top_of, visit_desk, visit_desk_as_organiser
from genmem.arena.submissions.models import Step, steps_of

KEYS = dict(zip((name for name, _ in LABELS), "lmsauo", strict=True))
"""The key that chooses each label."""


@login_required
@require_safe
def entry(request: HttpRequest, slug: str, pk: uuid.UUID) -> HttpResponse:
    """All that a reviewer needs to judge one submission."""
    viewer, user = visit_desk(request, slug)
    submission = submission_at(viewer, pk)
    labels = labels_in_force(submission)
    scores = scores_in_force([submission], private=True).get(submission.pk, {})
    kind = request.GET.get("split") or ("private" if "private" in scores else "public")
    decisions = list(
        Decision.objects.filter(submission=submission)
        .select_related("by", "rebuttal__by", "rebuttal__answer__by")
        .order_by("-pk")
    )
    steps = {step.name: step for step in Step.objects.filter(submission=submission)}
    queue = queue_now(viewer.competition, top=top_of(request))
    return render(
        request,
        "moderation/entry.html",
        {
            "viewer": viewer,
            "submission": submission,
            "labels": labels,
            "verdict": verdict(one.label for one in labels),
            "mine": next((one for one in labels if one.reviewer.pk == user.pk), None),
            "choices": [(name, word, LABEL_MEANINGS[name], KEYS[name]) for name, word in LABELS],
            "scores": scores,
            "history": ScoreVersion.objects.filter(submission=submission)
            .select_related("split")
            .order_by("-pk"),
            "kind": kind,
            "gallery": gallery(scores[kind]) if kind in scores else None,
            "code": code_of(submission),
            "log": log_of(submission) if submission.kind == "code" else "",
            "steps": [
                steps[name]
                for name in steps_of(submission.kind)
                if name in steps and steps[name].log
            ],
            "notes": Note.objects.filter(submission=submission).select_related("by").order_by("pk"),
            "decisions": decisions,
            "disqualified": bool(decisions) and decisions[0].kind == "disqualified",
            "place": _place(queue.now, submission.pk),
            "final": any(
                one.submission == str(submission.pk) for one in entries_standing(viewer.competition)
            ),
            "queue": queue,
        },
    )


@login_required
@require_safe
def image(
    request: HttpRequest, slug: str, pk: uuid.UUID, kind: str, place: int, whose: str
) -> HttpResponse:
    """One image of the gallery: a submitted one, or the training image nearest to it."""
    viewer, _ = visit_desk(request, slug)
    submission = submission_at(viewer, pk)
    version = scores_in_force([submission], private=True).get(submission.pk, {}).get(kind)
    found = gallery(version) if version is not None and kind in dict(Split.KINDS) else None
    if found is None or place >= len(found.pairs) or whose not in ("submitted", "training"):
        raise Http404
    pair = found.pairs[place]
    content = pair.submitted if whose == "submitted" else pair.training
    if content is None:
        raise Http404
    return HttpResponse(
        content, content_type="image/png", headers={"Cache-Control": "private, max-age=600"}
    )


@login_required
@require_POST
def label(request: HttpRequest, slug: str, pk: uuid.UUID) -> HttpResponse:
    """My label."""
    viewer, user = visit_desk(request, slug)
    submission = submission_at(viewer, pk)
    reason, given = request.POST.get("reason", ""), request.POST.get("label", "")
    done = _try(
        request, lambda: add_label(submission, given, reason=reason, by=user), "Your label is kept."
    )
    if done and "next" in request.POST:
        return redirect("next submission", slug)
    return redirect("review", slug, pk)


@login_required
@require_POST
def note(request: HttpRequest, slug: str, pk: uuid.UUID) -> HttpResponse:
    """A note for the other reviewers."""
    viewer, user = visit_desk(request, slug)
    submission = submission_at(viewer, pk)
    _try(request, lambda: add_note(submission, request.POST.get("text", ""), by=user), "Noted.")
    return redirect("review", slug, pk)


@login_required
@require_POST
def decision(request: HttpRequest, slug: str, pk: uuid.UUID) -> HttpResponse:
    """Disqualify, or put back."""
    viewer, user = visit_desk_as_organiser(request, slug)
    submission = submission_at(viewer, pk)
    kind = "reinstated" if request.POST.get("kind") == "reinstated" else "disqualified"
    shown = verdict(one.label for one in labels_in_force(submission))
    _try(
        request,
        lambda: decide(
            submission,
            kind,
            reason=request.POST.get("reason", ""),
            by=user,
            label=shown.label if kind == "disqualified" and shown.copying else "",
        ),
        "It is off the boards." if kind == "disqualified" else "It is back on the boards.",
    )
    return redirect("review", slug, pk)


def _try(request: HttpRequest, change: Callable[[], object], said: str) -> bool:
    try:
        change()
    except DeskError as error:
        messages.error(request, str(error))
        return False
    messages.success(request, said)
    return True


def _place(items: Sequence[Item], pk: uuid.UUID) -> Item | None:
    return next((item for item in items if item.entry.submission == str(pk)), None)
