"""Pages for organizers: exports and their files, and the ratings of one round as CSV."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from genmem.arena.core.errors import RuleError
from genmem.arena.export.jobs import (
    export_jobs,
    find_export,
    read_chunks,
    start_export,
)
from genmem.arena.export.schema import Scope, csv_lines
from genmem.arena.export.tables import RATINGS, TABLES
from genmem.arena.ratings.models import Round
from genmem.arena.ratings.results import ratings_of
from genmem.arena.teams.permissions import require_organizer
from genmem.arena.teams.pseudonyms import Pseudonyms


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def exports(request: HttpRequest, slug: str) -> HttpResponse:
    """List the exports, or start one."""
    viewer = require_organizer(request, slug)
    if request.method == "POST":
        try:
            start_export(
                viewer.competition,
                private="private" in request.POST,
                names="names" in request.POST,
                by=viewer.user,
            )
        except RuleError as error:
            messages.error(request, str(error))
        return redirect("export", slug)
    jobs = export_jobs(viewer.competition)
    context = {
        "viewer": viewer,
        "jobs": jobs,
        "running": any(job.state == "running" for job in jobs),
        "tables": TABLES,
    }
    return render(request, "export/exports.html", context)


@login_required
@require_safe
def download(request: HttpRequest, slug: str, token: str) -> HttpResponseBase:
    """An export as a zip."""
    viewer = require_organizer(request, slug)
    job = find_export(viewer.competition, token)
    if job is None:
        raise Http404
    return StreamingHttpResponse(
        read_chunks(viewer.competition, token),
        content_type="application/zip",
        headers={
            "Content-Disposition": f'attachment; filename="{slug}-export.zip"',
            "Content-Length": str(job.size),
            "Content-Encoding": "identity",  # it is compressed already
        },
    )


@login_required
@require_safe
def ratings_csv(request: HttpRequest, slug: str, pk: int) -> HttpResponseBase:
    """All ratings of a round as CSV, with pseudonyms of the raters."""
    viewer = require_organizer(request, slug)
    rating_round = get_object_or_404(Round, pk=pk, competition=viewer.competition)
    scope = Scope(
        competition=viewer.competition,
        pseudonyms=Pseudonyms(viewer.competition),
        private=True,
        names=False,
    )
    return StreamingHttpResponse(
        csv_lines(RATINGS, scope, ratings_of([rating_round]).iterator(chunk_size=2000)),
        content_type="text/csv; charset=utf-8",
        headers={"Content-Disposition": f'attachment; filename="ratings-{slug}-{pk}.csv"'},
    )
