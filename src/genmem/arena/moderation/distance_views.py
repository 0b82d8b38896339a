"""Pages: the memorization distances, the leaderboard at another τ, and putting it in force."""

from __future__ import annotations

import math
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from genmem.arena.accounts.models import User
from genmem.arena.competitions.models import Competition, Split
from genmem.arena.core.errors import RuleError
from genmem.arena.moderation.change_threshold import change_threshold
from genmem.arena.moderation.histogram import (
    GROUP_TITLES,
    GROUPS,
    UNSETTLED,
    LabelledDistances,
    group_counts,
    labelled_distances,
)
from genmem.arena.moderation.permissions import organizer_required, reviewer_required
from genmem.arena.moderation.threshold_preview import preview
from genmem.arena.moderation.views import top_choices, top_size
from genmem.arena.teams.permissions import Viewer

_MAX_ROWS = 3_000
"""Teams listed when the full leaderboard is requested."""


@require_safe
@reviewer_required
def distances(request: HttpRequest, viewer: Viewer, user: User, kind: str) -> HttpResponse:
    """The histogram of the distances, and what another τ would change."""
    data, top = _distances(viewer.competition, kind), top_size(request)
    context: dict[str, Any] = {"viewer": viewer, "kind": kind, "top": top}
    if data is not None:
        tau, end = _tau(request, data), data.plot.end
        context |= {
            **_preview(request, data, tau),
            "plot": data.plot,
            "tau_position": 100 * min(1.0, tau / end),
            "current_position": 100 * min(1.0, data.scores.tau / end),
            "suggestion": data.suggestion,
            "top_choices": top_choices(top),
            "scores": data.scores,
            "count": len(data.scores.ids),
        }
    return render(request, "moderation/distances.html", context)


@require_safe
@reviewer_required
def threshold_preview(request: HttpRequest, viewer: Viewer, user: User, kind: str) -> HttpResponse:
    """The part of the page that depends on τ."""
    data = _distances(viewer.competition, kind)
    if data is None:
        raise Http404
    context = {"viewer": viewer, "kind": kind, **_preview(request, data, _tau(request, data))}
    return render(request, "moderation/preview.html", context)


@require_POST
@organizer_required
def apply(request: HttpRequest, viewer: Viewer, user: User, kind: str) -> HttpResponse:
    """Put another τ in force."""
    if kind not in dict(Split.KINDS):
        raise Http404
    tau, version = _number(request.POST.get("tau", "")), request.POST.get("version", "")
    try:
        split, count = change_threshold(
            viewer.competition,
            kind,
            math.nan if tau is None else tau,
            reason=request.POST.get("reason", ""),
            actor=user,
            version=int(version[:9]) if version.isdecimal() else None,
        )
        messages.success(
            request,
            f"Version {split.version} of the {kind} split is in force with τ = {split.tau:g}; "
            f"{count:,} submissions were rescored.",
        )
    except RuleError as error:
        messages.error(request, str(error))
    return redirect("distances", viewer.competition.slug, kind)


def _distances(competition: Competition, kind: str) -> LabelledDistances | None:
    if kind not in dict(Split.KINDS):
        raise Http404
    return labelled_distances(competition, kind)


def _preview(request: HttpRequest, data: LabelledDistances, tau: float) -> dict[str, Any]:
    """The template context of the leaderboard at τ."""
    top, full = top_size(request), bool(request.GET.get("full"))
    teams = preview(data.scores, tau)
    rows = teams[: _MAX_ROWS if full else top]
    labels = {
        index: "" if group == UNSETTLED else GROUP_TITLES[group]
        for index, group in enumerate(GROUPS)
    }
    return {
        "tau": tau,
        "top": top,
        "teams": len(teams),
        "top_teams": min(top, len(teams)),
        "group_counts": group_counts(data.scores.distance, data.groups, tau),
        "rows": [(team, labels[int(data.groups[team.row])]) for team in rows],
        "entering": [
            team for team in teams[:top] if team.current_rank is None or team.current_rank > top
        ],
        "leaving": [
            team
            for team in teams[top:]
            if team.current_rank is not None and team.current_rank <= top
        ],
        "moving": sum(team.up != 0 for team in teams),
        "hidden_teams": len(teams) - len(rows),
    }


def _tau(request: HttpRequest, data: LabelledDistances) -> float:
    """The τ of the query string, if it is valid; else the one in force."""
    tau = _number(request.GET.get("tau", ""))
    return tau if tau is not None and 0 < tau <= 1 else data.scores.tau


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
