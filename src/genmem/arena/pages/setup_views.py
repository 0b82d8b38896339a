"""The organizer's pages: settings, splits, roles, and opening the private leaderboard."""

from __future__ import annotations

from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST

from genmem.arena.competitions.forms import CompetitionForm, SplitForm
from genmem.arena.competitions.models import Split, split_in_force
from genmem.arena.competitions.setup import (
    save_competition,
    save_split,
    set_private_leaderboard_open,
)
from genmem.arena.core.errors import RuleError
from genmem.arena.scoring.retry import rescore_progress
from genmem.arena.teams.forms import RoleForm
from genmem.arena.teams.models import Role
from genmem.arena.teams.permissions import Viewer, require_organizer
from genmem.arena.teams.roles import give_role, revoke_role


@login_required
def edit(request: HttpRequest, slug: str) -> HttpResponse:
    """Edit the competition's settings."""
    viewer = require_organizer(request, slug)
    form = CompetitionForm(request.POST or None, instance=viewer.competition)
    if request.method == "POST" and form.is_valid():
        competition = save_competition(form, actor=viewer.user)
        messages.success(request, "Saved.")
        return redirect("set up", competition.slug)
    if request.method == "POST":
        viewer.competition.refresh_from_db()
    return render(
        request,
        "pages/setup.html",
        {"viewer": viewer, "form": form, "missing": _missing_splits(viewer)},
    )


@login_required
def split(request: HttpRequest, slug: str, kind: str) -> HttpResponse:
    """Edit a split, and show its earlier versions."""
    viewer = require_organizer(request, slug)
    if kind not in dict(Split.KINDS):
        raise Http404
    current = split_in_force(viewer.competition, kind)
    form = SplitForm(
        request.POST or None,
        initial={name: getattr(current, name) for name in SplitForm.Meta.fields} if current else {},
        folders=settings.ARENA.allowed_data_folders,
        base=settings.ARENA.folder,
    )
    if request.method == "POST" and form.is_valid():
        saved = save_split(form, viewer.competition, kind, actor=viewer.user)
        messages.success(
            request, f"Version {saved.version} is in force." if saved else "Nothing was changed."
        )
        missing = _missing_splits(viewer)
        return redirect("set up split", slug, missing[0] if missing else kind)
    versions = Split.objects.filter(competition=viewer.competition, kind=kind).order_by("-version")
    waiting, failed = rescore_progress(current) if current else (0, [])
    return render(
        request,
        "pages/split.html",
        {
            "viewer": viewer,
            "form": form,
            "kind": kind,
            "versions": versions,
            "waiting": waiting,
            "failed": failed,
        },
    )


@login_required
def roles(request: HttpRequest, slug: str) -> HttpResponse:
    """List, give and take the roles of organizer and reviewer."""
    viewer = require_organizer(request, slug)
    assert viewer.user is not None, "login_required"
    form = RoleForm(request.POST if "give" in request.POST else None)
    try:
        if "revoke" in request.POST:
            revoke_role(viewer.competition, request.POST["revoke"], by=viewer.user)
            return redirect("set up roles", slug)
        if form.is_bound and form.is_valid():
            give_role(viewer.competition, **form.cleaned_data, by=viewer.user)
            return redirect("set up roles", slug)
    except RuleError as error:
        messages.error(request, str(error))
        return redirect("set up roles", slug)
    current_roles = Role.objects.filter(competition=viewer.competition).select_related("user")
    return render(
        request,
        "pages/roles.html",
        {
            "viewer": viewer,
            "form": form,
            "roles": current_roles.order_by("role", "user__display_name"),
        },
    )


@login_required
@require_POST
def private_leaderboard(request: HttpRequest, slug: str) -> HttpResponse:
    """Show the private leaderboard to everybody, or hide it again."""
    viewer = require_organizer(request, slug)
    is_open = request.POST.get("show") == "yes"
    set_private_leaderboard_open(viewer.competition, is_open, actor=viewer.user)
    messages.success(
        request, f"The private leaderboard is {'open to everybody' if is_open else 'hidden'}."
    )
    return redirect("set up", slug)


def _missing_splits(viewer: Viewer) -> list[str]:
    return [kind for kind, _ in Split.KINDS if split_in_force(viewer.competition, kind) is None]
