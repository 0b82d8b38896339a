"""Who may sit at the desk, and what each of its pages needs."""

from __future__ import annotations

import uuid

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest
from django.shortcuts import get_object_or_404

from genmem.arena.people.access import Viewer, visit
from genmem.arena.people.models import User
from genmem.arena.submissions.models import Submission

TOPS = (3, 10, 25, 50, 100, 250)
TOP = 100
"""How much of the private board is to be clean, until somebody chooses another."""


def visit_desk(request: HttpRequest, slug: str) -> tuple[Viewer, User]:
    """A reviewer or organiser; 403 for everybody else."""
    viewer = visit(request, slug)
    if not viewer.reviewer or viewer.user is None:
        raise PermissionDenied("The desk is for reviewers and organisers.")
    return viewer, viewer.user


def visit_desk_as_organiser(request: HttpRequest, slug: str) -> tuple[Viewer, User]:
    """An organiser; 403 for everybody else."""
    viewer, user = visit_desk(request, slug)
    if not viewer.organiser:
        raise PermissionDenied("Organisers decide this; reviewers label and write notes.")
    return viewer, user


def submission_at(viewer: Viewer, pk: uuid.UUID) -> Submission:
    """A submission of the competition; 404 where there is none."""
    return get_object_or_404(
        Submission.objects.select_related("team", "team__competition", "author"),
        pk=pk,
        team__competition=viewer.competition,
    )


def top_of(request: HttpRequest) -> int:
    """The k of "the top k": as asked for, and then for as long as this person is signed in."""
    given = request.GET.get("top", "")
    if given.isdecimal() and 1 <= int(given[:6]) <= 100_000:
        request.session["desk-top"] = int(given[:6])
    return int(request.session.get("desk-top", TOP))
