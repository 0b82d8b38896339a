"""What every template knows."""

from __future__ import annotations

from django.conf import settings
from django.http import HttpRequest


def arena(request: HttpRequest) -> dict[str, object]:
    """The site's name, and whether anybody may make an account."""
    return {"arena_name": settings.ARENA.name, "signup_open": settings.ARENA.signup}
