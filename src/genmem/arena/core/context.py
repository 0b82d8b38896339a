"""Context processor: variables of every template."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest


def arena(request: HttpRequest) -> dict[str, object]:
    """Return the site's name, and whether sign-up is open."""
    return {"arena_name": settings.ARENA.name, "signup_open": settings.ARENA.signup}
