"""The review queue, the decisions, and the log."""

from __future__ import annotations

import uuid
from collections.abc import Iterable

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST, require_safe

from genmem.arena.accounts.models import User
from genmem.arena.auditlog.models import LogEntry
from genmem.arena.competitions.models import split_in_force
from genmem.arena.leaderboards.models import Decision
from genmem.arena.moderation.decisions import DeskError, answer, rebut
from genmem.arena.moderation.models import Rebuttal
from genmem.arena.moderation.queue import Item
from genmem.arena.moderation.selectors import labels_now, next_for, queue_now
from genmem.arena.submissions.models import Submission
from genmem.arena.teams.permissions import Viewer, get_viewer, require_member

TOPS = (3, 10, 25, 50, 100, 250)
TOP = 100
"""How much of the private board is to be clean, until somebody chooses another."""


def visit_desk(request: HttpRequest, slug: str) -> tuple[Viewer, User]:
    """A reviewer or organiser; 403 for everybody else."""
    viewer = get_viewer(request, slug)
    if not viewer.reviewer or viewer.user is None:
        raise PermissionDenied("The desk is for reviewers and organisers.")
    return viewer, viewer.user


def visit_desk_as_organiser(request: HttpRequest, slug: str) -> tuple[Viewer, User]:
    """An organiser; 403 for everybody else."""
    viewer, user = visit_desk(request, slug)
    if not viewer.organiser:
        raise PermissionDenied("Organisers decide this; reviewers label and write notes.")
    return viewer, user


def submission_at(viewer: Viewer, pk: uuid.UUID) -> Submission:
    """A submission of the competition; 404 where there is none."""
    return get_object_or_404(
        Submission.objects.select_related("team", "team__competition", "author"),
        pk=pk,
        team__competition=viewer.competition,
    )


def top_of(request: HttpRequest) -> int:
    """The k of "the top k": as asked for, and then for as long as this person is signed in."""
    given = request.GET.get("top", "")
    if given.isdecimal() and 1 <= int(given[:6]) <= 100_000:
        request.session["desk-top"] = int(given[:6])
    return int(request.session.get("desk-top", TOP))


_LOG_PAGE = 100


@login_required
@require_safe
def queue(request: HttpRequest, slug: str) -> HttpResponse:
    """What is left to review until the private top is clean."""
    viewer, user = visit_desk(request, slug)
    top = top_of(request)
    found = queue_now(viewer.competition, top=top)
    labels = labels_now(viewer.competition)
    items = [*found.now, *found.then, *found.fallen]
    submissions = _submissions(items)
    mine = {submission: of[user.pk] for submission, of in labels.items() if user.pk in of}

    def rows(items: Iterable[Item]) -> list[tuple[Item, Submission, str]]:
        pairs = [(item, submissions[uuid.UUID(item.entry.submission)]) for item in items]
        return [(item, one, mine.get(one.pk, "")) for item, one in pairs]

    return render(
        request,
        "moderation/queue.html",
        {
            "viewer": viewer,
            "queue": found,
            "shown": min(top, found.standing),
            "now": rows(found.now),
            "then": rows(found.then),
            "fallen": rows(found.fallen),
            "top": top,
            "tops": sorted({*TOPS, top}),
            "next": next_for(viewer.competition, found, user.pk),
            "split": split_in_force(viewer.competition, "private"),
        },
    )


@login_required
@require_safe
def next_entry(request: HttpRequest, slug: str) -> HttpResponse:
    """Leads to the next entry that I should review."""
    viewer, user = visit_desk(request, slug)
    after = request.GET.get("after", "")
    found = queue_now(viewer.competition, top=top_of(request))
    item = next_for(viewer.competition, found, user.pk, after=after)
    if item is None:
        messages.success(request, "Nothing in the queue waits for your review.")
        return redirect("moderation", slug)
    return redirect("review", slug, item.entry.submission)


@login_required
@require_safe
def decisions(request: HttpRequest, slug: str) -> HttpResponse:
    """Every decision, newest first, with rebuttals; those that wait for an answer on top."""
    viewer, _ = visit_desk(request, slug)
    found = (
        Decision.objects.filter(submission__team__competition=viewer.competition)
        .select_related("submission__team", "by", "rebuttal__by", "rebuttal__answer__by")
        .order_by("-pk")
    )
    rows, seen = [], set()
    for one in found:
        rows.append((one, one.submission.pk not in seen))
        seen.add(one.submission.pk)
    waiting = [row for row in rows if _waits(row[0])]
    return render(
        request,
        "moderation/decisions.html",
        {
            "viewer": viewer,
            "waiting": waiting,
            "others": [row for row in rows if not _waits(row[0])],
        },
    )


@login_required
@require_POST
def answer_rebuttal(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """The desk's answer to a rebuttal."""
    viewer, user = visit_desk_as_organiser(request, slug)
    found = get_object_or_404(
        Rebuttal, pk=pk, decision__submission__team__competition=viewer.competition
    )
    try:
        answer(found, text=request.POST.get("text", ""), by=user)
        messages.success(request, "Answered; the team sees it.")
    except DeskError as error:
        messages.error(request, str(error))
    return redirect("review", slug, found.decision.submission.pk)


@login_required
@require_POST
def send_rebuttal(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """A team's word on a decision about its own submission; 404 for everybody else."""
    viewer, team, user = require_member(request, slug)
    found = get_object_or_404(Decision, pk=pk, submission__team=team)
    if found.submission.team.competition != viewer.competition:
        raise Http404
    try:
        rebut(found, text=request.POST.get("text", ""), by=user)
        messages.success(request, "Sent. The organisers' answer will be shown here.")
    except DeskError as error:
        messages.error(request, str(error))
    return redirect("submission", slug, found.submission.pk)


@login_required
@require_safe
def log(request: HttpRequest, slug: str) -> HttpResponse:
    """Everything that was changed, newest first; only ever added to."""
    viewer, _ = visit_desk(request, slug)
    entries = LogEntry.objects.filter(competition=viewer.competition)
    actions = sorted(set(entries.values_list("action", flat=True).distinct()))
    actors = User.objects.filter(
        pk__in=entries.exclude(actor=None).values("actor").distinct()
    ).order_by("display_name", "pk")
    wanted = {name: request.GET.get(name, "").strip() for name in ("action", "actor", "subject")}
    shown = entries.select_related("actor").order_by("-pk")
    if wanted["action"]:
        shown = shown.filter(action=wanted["action"])
    if wanted["actor"] == "server":
        shown = shown.filter(actor=None)
    elif wanted["actor"].isdecimal():
        shown = shown.filter(actor=int(wanted["actor"][:18]))
    if wanted["subject"]:
        shown = shown.filter(subject__icontains=wanted["subject"][:200])
    page = Paginator(shown, _LOG_PAGE).get_page(request.GET.get("page"))
    query = request.GET.copy()
    query.pop("page", None)
    return render(
        request,
        "moderation/log.html",
        {
            "viewer": viewer,
            "rows": page,
            "actions": actions,
            "actors": actors,
            "wanted": wanted,
            "query": query.urlencode(),
        },
    )


def _waits(decision: Decision) -> bool:
    """Whether a rebuttal of it waits for an answer."""
    rebuttal = getattr(decision, "rebuttal", None)
    return rebuttal is not None and not hasattr(rebuttal, "answer")


def _submissions(items: Iterable[Item]) -> dict[uuid.UUID, Submission]:
    numbers = {uuid.UUID(item.entry.submission) for item in items}
    return Submission.objects.select_related("team").in_bulk(list(numbers))
