"""The boards, and choosing finals."""

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
from genmem.arena.leaderboards.cache import kept, stamp
from genmem.arena.leaderboards.disqualification import disqualified_ids
from genmem.arena.leaderboards.finals import FinalsError, choose_finals, finals_of
from genmem.arena.leaderboards.leaderboard import Row, board, rank_history_of
from genmem.arena.leaderboards.scores import scores_in_force
from genmem.arena.submissions.models import Submission
from genmem.arena.teams.permissions import Viewer, get_viewer


def rows_html(rows: Iterable[Row]) -> SafeString:
    """The `<tbody>` of a board."""
    return mark_safe("\n".join(("<tbody>", *map(_row, rows), "</tbody>")))


def _row(row: Row) -> str:
    place = "–" if row.rank is None else str(row.rank)
    received = formatting.moment(row.received_at, seconds=False)
    return (
        f'<tr id="team-{row.team_id}"><td class="value rank">{place}</td>'
        f'<th scope="row"><bdi>{escape(row.name)}</bdi></th>'
        f'<td class="value score">{formatting.score(row.score)}</td>'
        f'<td class="value count">{row.submissions}</td>'
        f'<td class="time"><time datetime="{row.received_at.isoformat()}">{received}</time></td>'
        "</tr>"
    )


_HIDDEN = "The private board is hidden until the organiser opens it."
_ROWS = 200
"""Rows on one page of a board."""

_PAGE_SECONDS = 5
"""How long the page for strangers is kept while the board stays as it is ("closes in 9 days")."""


@require_safe
def public(request: HttpRequest, slug: str) -> HttpResponse:
    """The public board, live."""
    return _board(request, get_viewer(request, slug), "public")


@require_safe
def private(request: HttpRequest, slug: str) -> HttpResponse:
    """The private board: for everybody once it is open, for reviewers before."""
    viewer = get_viewer(request, slug)
    if not viewer.sees_private:
        raise PermissionDenied(_HIDDEN)
    return _board(request, viewer, "private")


@login_required
@require_safe
def history(request: HttpRequest, slug: str, kind: str) -> HttpResponse:
    """How my team's rank went."""
    viewer = get_viewer(request, slug)
    if kind not in dict(Split.KINDS):
        raise Http404
    if kind == "private" and not viewer.sees_private:
        raise PermissionDenied(_HIDDEN)
    if viewer.team is None:
        return redirect("team", slug)
    moments = rank_history_of(viewer.team, kind)
    return render(
        request,
        "leaderboards/history.html",
        {"viewer": viewer, "kind": kind, "moments": moments[::-1]},
    )


@login_required
def finals(request: HttpRequest, slug: str) -> HttpResponse:
    """Which of my team's submissions stand for it on the private board."""
    viewer = get_viewer(request, slug)
    if viewer.team is None or viewer.user is None:
        return redirect("team", slug)
    if request.method == "POST":
        try:
            wanted = {uuid.UUID(one) for one in request.POST.getlist("final")}
            chosen = choose_finals(viewer.team, viewer.user, wanted)
        except ValueError:
            messages.error(request, "This is no submission of yours.")
        except FinalsError as error:
            messages.error(request, str(error))
        else:
            messages.success(request, "Saved." if chosen else "Saved: the default applies.")
        return redirect("finals", slug)
    scored = list(
        Submission.objects.filter(team=viewer.team, state="scored").order_by("-received_at")
    )
    scores = scores_in_force(scored, private=viewer.sees_private)
    rows = [(one, scores.get(one.pk, {})) for one in scored]
    rows.sort(key=lambda row: _public_score(row[1]))
    standing, chosen_by_team = finals_of(viewer.team)
    return render(
        request,
        "leaderboards/finals.html",
        {
            "viewer": viewer,
            "rows": rows,
            "standing": standing,
            "chosen_by_team": chosen_by_team,
            "disqualified": disqualified_ids(viewer.competition),
            "open": viewer.competition.phase() != "closed",
        },
    )


def _public_score(scores: dict) -> float:
    version = scores.get("public")
    return float("inf") if version is None or version.score is None else version.score


def _board(request: HttpRequest, viewer: Viewer, kind: str) -> HttpResponse:
    rows, shown = board(viewer.competition, kind, wait=False), _number(request)
    if not 1 <= shown <= max(1, -(-len(rows) // _ROWS)):
        raise Http404
    if request.COOKIES or "gzip" not in request.headers.get("Accept-Encoding", ""):
        return _page(request, viewer, kind, rows, shown)
    # Nothing in it is personal: it is compressed once for all who look within a few seconds.
    packed = kept(
        ("page", viewer.competition.pk, kind, shown),
        (stamp(), len(rows), tuple(_shown(rows, shown))),
        lambda: gzip.compress(_page(request, viewer, kind, rows, shown).content, mtime=0),
        seconds=_PAGE_SECONDS,
        wait=False,
    )
    return HttpResponse(packed, headers={"Content-Encoding": "gzip", "Vary": "Accept-Encoding"})


def _page(
    request: HttpRequest, viewer: Viewer, kind: str, rows: list[Row], shown: int
) -> HttpResponse:
    found = (
        (n, row) for n, row in enumerate(rows) if viewer.team and row.team_id == viewer.team.pk
    )
    place, mine = next(found, (0, None))
    pages = [
        (number, start + 1, min(start + _ROWS, len(rows)))
        for number, start in enumerate(range(0, len(rows), _ROWS), 1)
    ]
    return render(
        request,
        "leaderboards/board.html",
        {
            "viewer": viewer,
            "kind": kind,
            "table": _table(viewer, kind, _shown(rows, shown), shown),
            "count": len(rows),
            "mine": mine,
            "mine_on": place // _ROWS + 1,
            "pages": pages if len(pages) > 1 else [],
            "shown": shown,
        },
    )


def _shown(rows: list[Row], page: int) -> list[Row]:
    return rows[(page - 1) * _ROWS : page * _ROWS]


def _number(request: HttpRequest) -> int:
    """Which page of the board is asked for, from 1; -1 where that is no number."""
    asked = request.GET.get("page", "1")
    return int(asked) if asked.isascii() and asked.isdecimal() and len(asked) < 7 else -1


def _table(viewer: Viewer, kind: str, rows: list[Row], page: int) -> SafeString:
    """The body of a page's table: the same for everybody, and so kept until the board changes."""
    return kept(("table", viewer.competition.pk, kind, page), tuple(rows), lambda: rows_html(rows))
