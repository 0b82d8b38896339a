"""RuleError, and the error pages."""

from __future__ import annotations

from django.conf import settings
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.template.loader import render_to_string

from genmem.errors import GenmemError

_TITLES = {
    400: "This request cannot be understood",
    403: "This is not open to you",
    404: "There is nothing here",
    413: "This file is too large",
    429: "Too many for today",
    500: "Something broke on our side",
}


class RuleError(GenmemError):
    """A rule of the site or of a competition forbids this; the message is for the user."""


def error_page(request: HttpRequest, status: int, message: str) -> HttpResponse:
    """Render a page with the reason, under the given HTTP status."""
    title = _TITLES.get(status, "This cannot be done")
    return render(request, "core/error.html", {"title": title, "message": message}, status=status)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Render the page for status 400."""
    return error_page(request, 400, "Go back, check your input, and try again.")


def forbidden(request: HttpRequest, exception: PermissionDenied) -> HttpResponse:
    """Render the page for status 403, with the exception's reason if it has one."""
    reason = str(exception) or "This page is for the people who run the competition."
    return error_page(request, 403, reason)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Render the page for status 404: the same for what is missing and what is another team's."""
    return error_page(request, 404, "The URL is wrong, or the page belongs to somebody else.")


def server_error(request: HttpRequest) -> HttpResponse:
    """Render the page for status 500 without the database, which may be what failed."""
    page = render_to_string(
        "core/error.html",
        {
            "title": _TITLES[500],
            "message": "The error is in the server's log. Please try again.",
            "arena_name": settings.ARENA.name,
        },
    )
    return HttpResponse(page, status=500)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Render the page for a form without a valid CSRF token."""
    return error_page(
        request,
        403,
        "The form expired, or this browser blocks cookies. Reload the page and send it again.",
    )
