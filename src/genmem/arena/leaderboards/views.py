"""Pages: the leaderboards, a team's rank history, and its choice of finals."""

from __future__ import annotations

import gzip
import uuid
from collections.abc import Iterable

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe
from django.views.decorators.http import require_safe

from genmem.arena.competitions.models import Split
from genmem.arena.core import formatting
from genmem.arena.core.errors import RuleError
from genmem.arena.leaderboards.cache import cached, leaderboard_state
from genmem.arena.leaderboards.disqualification import disqualified_ids
from genmem.arena.leaderboards.finals import choose_finals, finals_of
from genmem.arena.leaderboards.leaderboard import (
    RankedTeam,
    leaderboard_rows,
    team_rank_history,
)
from genmem.arena.leaderboards.models import ScoreVersion
from genmem.arena.leaderboards.scores import scores_in_force
from genmem.arena.submissions.models import Submission
from genmem.arena.teams.permissions import Viewer, get_viewer
from genmem.metrics.mifid import Standing, ranking_key

_HIDDEN = "The private leaderboard is hidden until the organizer opens it."
_ROWS = 200
"""Rows on one page of a leaderboard."""

_PAGE_SECONDS = 5
"""How long a page for visitors without cookies is cached; it says "closes in 9 days"."""


@require_safe
def public(request: HttpRequest, slug: str) -> HttpResponse:
    """The public leaderboard."""
    return _leaderboard(request, get_viewer(request, slug), "public")


@require_safe
def private(request: HttpRequest, slug: str) -> HttpResponse:
    """The private leaderboard: for reviewers, and for everybody once it is open."""
    viewer = get_viewer(request, slug)
    if not viewer.sees_private:
        raise PermissionDenied(_HIDDEN)
    return _leaderboard(request, viewer, "private")


@login_required
@require_safe
def history(request: HttpRequest, slug: str, kind: str) -> HttpResponse:
    """The rank history of the viewer's team."""
    viewer = get_viewer(request, slug)
    if kind not in dict(Split.KINDS):
        raise Http404
    if kind == "private" and not viewer.sees_private:
        raise PermissionDenied(_HIDDEN)
    if viewer.team is None:
        return redirect("team", slug)
    changes = team_rank_history(viewer.team, kind)
    context = {"viewer": viewer, "kind": kind, "changes": changes[::-1]}
    return render(request, "leaderboards/history.html", context)


@login_required
def finals(request: HttpRequest, slug: str) -> HttpResponse:
    """Show or change the final submissions of the viewer's team."""
    viewer = get_viewer(request, slug)
    if viewer.team is None or viewer.user is None:
        return redirect("team", slug)
    if request.method == "POST":
        try:
            ids = {uuid.UUID(pk) for pk in request.POST.getlist("final")}
            chosen = choose_finals(viewer.team, viewer.user, ids)
        except ValueError:
            messages.error(request, "This is not one of your team's submissions.")
        except RuleError as error:
            messages.error(request, str(error))
        else:
            messages.success(request, "Saved." if chosen else "Saved: the default applies.")
        return redirect("finals", slug)
    scored = list(
        Submission.objects.filter(team=viewer.team, state="scored").order_by("received_at", "pk")
    )
    scores = scores_in_force(scored, private=viewer.sees_private)
    rows = [(submission, scores.get(submission.pk, {})) for submission in scored]
    rows.sort(key=lambda row: _public_order(row[1]))  # of equals the one received earlier is first
    final_ids, chosen_by_team = finals_of(viewer.team)
    context = {
        "viewer": viewer,
        "rows": rows,
        "final_ids": final_ids,
        "chosen_by_team": chosen_by_team,
        "disqualified": disqualified_ids(viewer.competition),
        "open": viewer.competition.phase() != "closed",
    }
    return render(request, "leaderboards/finals.html", context)


def _public_order(scores: dict[str, ScoreVersion]) -> tuple[int, float]:
    version = scores.get("public")
    if version is None or version.score is None:
        return len(Standing), 0.0
    return ranking_key(score=version.score, distance=version.distance, standing=version.standing)


def _leaderboard(request: HttpRequest, viewer: Viewer, kind: str) -> HttpResponse:
    rows, number = leaderboard_rows(viewer.competition, kind, wait=False), _page_number(request)
    if not 1 <= number <= max(1, -(-len(rows) // _ROWS)):
        raise Http404
    if request.COOKIES or "gzip" not in request.headers.get("Accept-Encoding", ""):
        return _page(request, viewer, kind, rows, number)
    # Nothing on this page is personal: it is compressed once for all visitors.
    compressed = cached(
        ("leaderboard page", viewer.competition.pk, kind, number),
        (leaderboard_state(), len(rows), tuple(_page_rows(rows, number))),
        lambda: gzip.compress(_page(request, viewer, kind, rows, number).content, mtime=0),
        seconds=_PAGE_SECONDS,
        wait=False,
    )
    headers = {"Content-Encoding": "gzip", "Vary": "Accept-Encoding"}
    return HttpResponse(compressed, headers=headers)


def _page(
    request: HttpRequest, viewer: Viewer, kind: str, rows: list[RankedTeam], number: int
) -> HttpResponse:
    own = (
        (position, row)
        for position, row in enumerate(rows)
        if viewer.team and row.team_id == viewer.team.pk
    )
    own_position, own_row = next(own, (0, None))
    pages = [
        (page, start + 1, min(start + _ROWS, len(rows)))
        for page, start in enumerate(range(0, len(rows), _ROWS), 1)
    ]
    page_rows = tuple(_page_rows(rows, number))
    context = {
        "viewer": viewer,
        "kind": kind,
        "table": cached(  # the same for everybody
            ("leaderboard table", viewer.competition.pk, kind, number),
            page_rows,
            lambda: table_body(page_rows),
        ),
        "count": len(rows),
        "own_row": own_row,
        "own_page": own_position // _ROWS + 1,
        "pages": pages if len(pages) > 1 else [],
        "number": number,
    }
    return render(request, "leaderboards/leaderboard.html", context)


def _page_rows(rows: list[RankedTeam], number: int) -> list[RankedTeam]:
    return rows[(number - 1) * _ROWS : number * _ROWS]


def _page_number(request: HttpRequest) -> int:
    """The requested page, from 1; -1 where it is not a number."""
    text = request.GET.get("page", "1")
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 7 else -1


def table_body(rows: Iterable[RankedTeam]) -> SafeString:
    """The `<tbody>` of a leaderboard; in Python, since a template takes many times as long."""
    return mark_safe("\n".join(("<tbody>", *map(_table_row, rows), "</tbody>")))


def _table_row(row: RankedTeam) -> str:
    rank = "–" if row.rank is None else str(row.rank)
    received = formatting.moment(row.received_at, seconds=False)
    return (
        f'<tr id="team-{row.team_id}"><td class="value rank">{rank}</td>'
        f'<th scope="row"><bdi>{escape(row.name)}</bdi></th>'
        f'<td class="value score">{formatting.score(row.score)}{_standing(row)}</td>'
        f'<td class="value count">{row.submissions}</td>'
        f'<td class="time"><time datetime="{row.received_at.isoformat()}">{received}</time></td>'
        "</tr>"
    )


def _standing(row: RankedTeam) -> str:
    """Beside a score that is penalized or means nothing: what it is."""
    return f' <span class="state failed">{row.standing.label}</span>' if row.standing else ""
