"""The organiser's page for releases, and the files themselves."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from genmem.arena.export.jobs import ReleaseError, begin, fetchable, makings, pieces
from genmem.arena.export.tables import TABLES
from genmem.arena.teams.permissions import require_organiser


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def releases(request: HttpRequest, slug: str) -> HttpResponse:
    """What was released, and making another."""
    viewer = require_organiser(request, slug)
    if request.method == "POST":
        try:
            begin(
                viewer.competition,
                private="private" in request.POST,
                names="names" in request.POST,
                by=viewer.user,
            )
        except ReleaseError as error:
            messages.error(request, str(error))
        return redirect("export", slug)
    found = makings(viewer.competition)
    return render(
        request,
        "export/releases.html",
        {
            "viewer": viewer,
            "makings": found,
            "under_way": any(one.state == "making" for one in found),
            "tables": TABLES,
        },
    )


@login_required
@require_safe
def fetch(request: HttpRequest, slug: str, token: str) -> HttpResponseBase:
    """A release as a zip."""
    viewer = require_organiser(request, slug)
    found = fetchable(viewer.competition, token)
    if found is None:
        raise Http404
    return StreamingHttpResponse(
        pieces(viewer.competition, token),
        content_type="application/zip",
        headers={
            "Content-Disposition": f'attachment; filename="{slug}-release.zip"',
            "Content-Length": str(found.size),
            "Content-Encoding": "identity",  # packed already
        },
    )
