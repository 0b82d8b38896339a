"""Pages: the review queue, the decisions, and the audit log."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST, require_safe

from genmem.arena.accounts.models import User
from genmem.arena.auditlog.models import LogEntry
from genmem.arena.competitions.models import split_in_force
from genmem.arena.core.errors import RuleError
from genmem.arena.leaderboards.models import Decision
from genmem.arena.moderation.decisions import answer_rebuttal, rebut
from genmem.arena.moderation.models import Rebuttal
from genmem.arena.moderation.permissions import organizer_required, reviewer_required
from genmem.arena.moderation.queue import QueueItem
from genmem.arena.moderation.selectors import labels_by_submission, next_to_review, queue_of
from genmem.arena.submissions.models import Submission
from genmem.arena.teams.permissions import Viewer, require_member

_TOP_CHOICES = (3, 10, 25, 50, 100, 250)
_DEFAULT_TOP = 100
_LOG_ROWS = 100
"""Rows on one page of the audit log."""


def top_size(request: HttpRequest) -> int:
    """The k of "the top k": as requested, and then remembered in the session."""
    text = request.GET.get("top", "")
    if text.isdecimal() and 1 <= int(text[:6]) <= 100_000:
        request.session["moderation-top"] = int(text[:6])
    return int(request.session.get("moderation-top", _DEFAULT_TOP))


def top_choices(top: int) -> list[int]:
    """The choices of k, with the present one among them."""
    return sorted({*_TOP_CHOICES, top})


@require_safe
@reviewer_required
def queue(request: HttpRequest, viewer: Viewer, user: User) -> HttpResponse:
    """What is left to review until the top of the private leaderboard is settled."""
    top = top_size(request)
    items = queue_of(viewer.competition, top=top)
    lists = {
        "to_decide": items.to_decide,
        "to_review": items.to_review,
        "next_in_line": items.next_in_line,
    }
    context = {
        "viewer": viewer,
        "queue": items,
        "size": min(top, items.size),
        "top": top,
        "top_choices": top_choices(top),
        "next": next_to_review(viewer.competition, items, user.pk),
        "split": split_in_force(viewer.competition, "private"),
        **_with_submissions(lists, viewer, user),
    }
    return render(request, "moderation/queue.html", context)


@require_safe
@reviewer_required
def next_submission(request: HttpRequest, viewer: Viewer, user: User) -> HttpResponse:
    """Redirect to the next submission that the viewer should review."""
    items = queue_of(viewer.competition, top=top_size(request))
    after = request.GET.get("after", "")
    item = next_to_review(viewer.competition, items, user.pk, after=after)
    if item is None:
        messages.success(request, "No submission in the queue waits for your review.")
        return redirect("moderation", viewer.competition.slug)
    return redirect("review", viewer.competition.slug, item.submission.id)


@require_safe
@reviewer_required
def decisions(request: HttpRequest, viewer: Viewer, user: User) -> HttpResponse:
    """All decisions, newest first; those with an unanswered rebuttal in a list of their own."""
    rows: dict[bool, list[tuple[Decision, bool]]] = {True: [], False: []}
    seen: set[uuid.UUID] = set()
    for decision in (
        Decision.objects.filter(submission__team__competition=viewer.competition)
        .select_related("submission__team", "by", "rebuttal__by", "rebuttal__answer__by")
        .order_by("-pk")
    ):
        in_force = decision.submission.pk not in seen
        seen.add(decision.submission.pk)
        rebuttal = getattr(decision, "rebuttal", None)
        unanswered = rebuttal is not None and not hasattr(rebuttal, "answer")
        rows[unanswered].append((decision, in_force))
    context = {"viewer": viewer, "unanswered": rows[True], "other": rows[False]}
    return render(request, "moderation/decisions.html", context)


@require_POST
@organizer_required
def send_answer(request: HttpRequest, viewer: Viewer, user: User, pk: int) -> HttpResponse:
    """Answer a rebuttal."""
    rebuttal = get_object_or_404(
        Rebuttal, pk=pk, decision__submission__team__competition=viewer.competition
    )
    try:
        answer_rebuttal(rebuttal, text=request.POST.get("text", ""), by=user)
        messages.success(request, "Answer sent to the team.")
    except RuleError as error:
        messages.error(request, str(error))
    return redirect("review", viewer.competition.slug, rebuttal.decision.submission.pk)


@login_required
@require_POST
def send_rebuttal(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """Rebut a decision about the viewer's own team's submission; 404 for everybody else."""
    viewer, team, user = require_member(request, slug)
    decision = get_object_or_404(Decision, pk=pk, submission__team=team)
    if decision.submission.team.competition != viewer.competition:
        raise Http404
    try:
        rebut(decision, text=request.POST.get("text", ""), by=user)
        messages.success(request, "Sent. The organizers' answer will appear on this page.")
    except RuleError as error:
        messages.error(request, str(error))
    return redirect("submission", slug, decision.submission.pk)


@require_safe
@reviewer_required
def log(request: HttpRequest, viewer: Viewer, user: User) -> HttpResponse:
    """The audit log, newest first."""
    entries = LogEntry.objects.filter(competition=viewer.competition)
    actors = entries.exclude(actor=None).values("actor").distinct()
    filters = {name: request.GET.get(name, "").strip() for name in ("action", "actor", "subject")}
    matching = _filtered(entries.select_related("actor").order_by("-pk"), **filters)
    query = request.GET.copy()
    query.pop("page", None)
    context = {
        "viewer": viewer,
        "rows": Paginator(matching, _LOG_ROWS).get_page(request.GET.get("page")),
        "actions": sorted(set(entries.values_list("action", flat=True).distinct())),
        "actors": User.objects.filter(pk__in=actors).order_by("display_name", "pk"),
        "filters": filters,
        "query": query.urlencode(),
    }
    return render(request, "moderation/log.html", context)


def _filtered(
    entries: QuerySet[LogEntry], *, action: str, actor: str, subject: str
) -> QuerySet[LogEntry]:
    if action:
        entries = entries.filter(action=action)
    if actor == "server":
        entries = entries.filter(actor=None)
    elif actor.isdecimal():
        entries = entries.filter(actor=int(actor[:18]))
    return entries.filter(subject__icontains=subject[:200]) if subject else entries


def _with_submissions(
    lists: dict[str, Sequence[QueueItem]], viewer: Viewer, user: User
) -> dict[str, Any]:
    """The same lists, as (item, submission, the user's own label)."""
    labels = labels_by_submission(viewer.competition)
    ids = [uuid.UUID(item.submission.id) for items in lists.values() for item in items]
    submissions = Submission.objects.select_related("team").in_bulk(ids)

    def rows(items: Iterable[QueueItem]) -> list[tuple[QueueItem, Submission, str]]:
        keys = [(item, uuid.UUID(item.submission.id)) for item in items]
        return [(item, submissions[pk], labels.get(pk, {}).get(user.pk, "")) for item, pk in keys]

    return {name: rows(items) for name, items in lists.items()}
