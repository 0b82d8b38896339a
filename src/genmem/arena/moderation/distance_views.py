"""The histogram of distances, the board at another τ, and putting that τ in force."""

from __future__ import annotations

import math
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from genmem.arena.competitions.models import Competition, Split
from genmem.arena.moderation.change_threshold import apply_tau
from genmem.arena.moderation.decisions import DeskError
from genmem.arena.moderation.histogram import GROUPS, WORDS, Labelled, below, labelled
from genmem.arena.moderation.snapshot import Snapshot, moves
from genmem.arena.moderation.views import TOPS, top_of, visit_desk, visit_desk_as_organiser

_WHOLE = 3_000
"""Teams listed when the whole board is asked for."""


@login_required
@require_safe
def distances(request: HttpRequest, slug: str, kind: str) -> HttpResponse:
    """How near the submissions are to the training images, and what another τ would do."""
    viewer, _ = visit_desk(request, slug)
    found = _labelled(viewer.competition, kind)
    context: dict[str, Any] = {"viewer": viewer, "kind": kind, "top": top_of(request)}
    if found is None:
        return render(request, "moderation/distances.html", context)
    tau = _tau(request, found.snapshot)
    return render(
        request,
        "moderation/distances.html",
        {
            **context,
            **_board_at(request, found, tau, kind),
            "plot": found.plot,
            "place": 100 * min(1.0, tau / found.plot.end),
            "place_now": 100 * min(1.0, found.snapshot.tau / found.plot.end),
            "suggestion": found.suggestion,
            "tops": sorted({*TOPS, context["top"]}),
            "snapshot": found.snapshot,
            "count": len(found.snapshot.ids),
        },
    )


@login_required
@require_safe
def distance_moves(request: HttpRequest, slug: str, kind: str) -> HttpResponse:
    """The part of the page that depends on τ."""
    viewer, _ = visit_desk(request, slug)
    found = _labelled(viewer.competition, kind)
    if found is None:
        raise Http404
    context = _board_at(request, found, _tau(request, found.snapshot), kind)
    return render(request, "moderation/moves.html", {"viewer": viewer, **context})


@login_required
@require_POST
def apply(request: HttpRequest, slug: str, kind: str) -> HttpResponse:
    """Put another τ in force."""
    viewer, user = visit_desk_as_organiser(request, slug)
    if kind not in dict(Split.KINDS):
        raise Http404
    tau, version = _number(request.POST.get("tau", "")), request.POST.get("version", "")
    try:
        split, count = apply_tau(
            viewer.competition,
            kind,
            math.nan if tau is None else tau,
            reason=request.POST.get("reason", ""),
            actor=user,
            version=int(version[:9]) if version.isdecimal() else None,
        )
        messages.success(
            request,
            f"Version {split.version} of the {kind} split is in force, τ = {split.tau:g}; "
            f"{count:,} submissions were scored anew.",
        )
    except DeskError as error:
        messages.error(request, str(error))
    return redirect("distances", slug, kind)


def _labelled(competition: Competition, kind: str) -> Labelled | None:
    if kind not in dict(Split.KINDS):
        raise Http404
    return labelled(competition, kind)


def _board_at(request: HttpRequest, found: Labelled, tau: float, kind: str) -> dict[str, Any]:
    top = top_of(request)
    scores = found.snapshot
    board = moves(scores, tau)
    shown = board[: _WHOLE if request.GET.get("whole") else top]
    return {
        "kind": kind,
        "tau": tau,
        "tau_now": scores.tau,
        "top": top,
        "teams": len(board),
        "inside": min(top, len(board)),
        "below": below(scores.distance, found.codes, tau),
        "rows": [(one, _word(found, one.row)) for one in shown],
        "entering": [one for one in board[:top] if one.before is None or one.before > top],
        "leaving": [one for one in board[top:] if one.before is not None and one.before <= top],
        "moving": sum(one.up != 0 for one in board),
        "whole": bool(request.GET.get("whole")),
        "not_shown": len(board) - len(shown),
    }


def _word(found: Labelled, row: int) -> str:
    """The label of a submission as shown; "" where it has none."""
    group = GROUPS[found.codes[row]]
    return "" if group == "unsettled" else WORDS[group]


def _tau(request: HttpRequest, found: Snapshot) -> float:
    """The τ of the address where it is one; the one in force elsewhere."""
    given = _number(request.GET.get("tau", ""))
    return given if given is not None and 0 < given <= 1 else found.tau


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
