"""Decorators for moderation's views.

A decorated view is called with the `Viewer` and the signed-in user in place of the slug.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse

from genmem.arena.teams.permissions import Viewer, get_viewer

View = Callable[..., HttpResponse]


def reviewer_required(view: View) -> View:
    """For reviewers and organizers; 403 for everybody else."""
    refusal = "Moderation is for reviewers and organizers."
    return _require(view, lambda viewer: viewer.reviewer, refusal)


def organizer_required(view: View) -> View:
    """For organizers; 403 for everybody else."""
    refusal = "Only organizers decide; reviewers add labels and notes."
    return _require(view, lambda viewer: viewer.organizer, refusal)


def _require(view: View, allowed: Callable[[Viewer], bool], refusal: str) -> View:
    @login_required
    @wraps(view)
    def wrapper(request: HttpRequest, slug: str, **arguments: Any) -> HttpResponse:
        viewer = get_viewer(request, slug)
        if viewer.user is None or not allowed(viewer):
            raise PermissionDenied(refusal)
        return view(request, viewer, viewer.user, **arguments)

    return wrapper
