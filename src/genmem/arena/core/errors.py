"""Refusals as pages: what was asked, why not, and where to go from here."""

from __future__ import annotations

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string

_TITLES = {
    400: "This request cannot be understood",
    403: "This is not open to you",
    404: "There is nothing here",
    413: "This file is too large",
    429: "Too many for today",
    500: "Something broke on our side",
}


def refusal(request: HttpRequest, status: int, message: str) -> HttpResponse:
    """A page with the reason, under the status that fits it."""
    title = _TITLES.get(status, "This cannot be done")
    return render(request, "core/refusal.html", {"title": title, "message": message}, status=status)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """400."""
    return refusal(request, 400, "Go back, check what you sent, and try again.")


def forbidden(request: HttpRequest, exception: PermissionDenied) -> HttpResponse:
    """403, with the reason where the code gave one."""
    reason = str(exception) or "This page is for the people who run the competition."
    return refusal(request, 403, reason)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """404; says the same whether a thing is missing or belongs to another team."""
    return refusal(request, 404, "The address is wrong, or what was here belongs to somebody else.")


def server_error(request: HttpRequest) -> HttpResponse:
    """500, as to a stranger: the database may be what broke, so nothing is asked of it."""
    page = render_to_string(
        "core/refusal.html",
        {
            "title": _TITLES[500],
            "message": "It was written to the server's log. Please try again.",
            "arena_name": settings.ARENA.name,
        },
    )
    return HttpResponse(page, status=500)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """403 for a form that did not come from a page of this site, or from one grown old."""
    return refusal(
        request,
        403,
        "The form had expired, or cookies are off in this browser. Load the page again and "
        "send it once more.",
    )
