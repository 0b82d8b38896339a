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

from genmem.arena.teams.permissions import get_viewer

View = Callable[..., HttpResponse]


def reviewer_required(view: View) -> View:
    """For reviewers and organisers; 403 for everybody else."""

    @login_required
    @wraps(view)
    def wrapper(request: HttpRequest, slug: str, **arguments: Any) -> HttpResponse:
        viewer = get_viewer(request, slug)
        if not viewer.reviewer or viewer.user is None:
            raise PermissionDenied("Moderation is for reviewers and organisers.")
        return view(request, viewer, viewer.user, **arguments)

    return wrapper


def organiser_required(view: View) -> View:
    """For organisers; 403 for everybody else."""

    @login_required
    @wraps(view)
    def wrapper(request: HttpRequest, slug: str, **arguments: Any) -> HttpResponse:
        viewer = get_viewer(request, slug)
        if not viewer.organiser or viewer.user is None:
            raise PermissionDenied("Only organisers decide; reviewers add labels and notes.")
        return view(request, viewer, viewer.user, **arguments)

    return wrapper
