"""The list of competitions, one competition's front page, and creating a competition."""

from __future__ import annotations

from typing import cast

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_safe

from genmem.arena.accounts.models import User
from genmem.arena.competitions.forms import CompetitionForm
from genmem.arena.competitions.models import Competition, split_in_force
from genmem.arena.competitions.setup import save_competition
from genmem.arena.teams.permissions import get_viewer

_PHASES = ("open", "upcoming", "closed")


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """List all competitions: open, then upcoming, then closed."""
    competitions = Competition.objects.annotate(
        team_count=Count("teams", distinct=True, filter=Q(teams__memberships__isnull=False))
    ).order_by("closes_at")
    by_phase: dict[str, list[Competition]] = {phase: [] for phase in _PHASES}
    for competition in competitions:
        by_phase[competition.phase()].append(competition)
    by_phase["closed"].reverse()
    return render(request, "pages/home.html", {"phases": list(by_phase.items())})


@require_safe
def overview(request: HttpRequest, slug: str) -> HttpResponse:
    """Show rules, dates and limits."""
    viewer = get_viewer(request, slug)
    return render(
        request,
        "pages/overview.html",
        {"viewer": viewer, "public_split": split_in_force(viewer.competition, "public")},
    )


@login_required
def create(request: HttpRequest) -> HttpResponse:
    """Create a competition; for organizers of the site."""
    user = cast(User, request.user)
    if not user.is_staff:
        raise PermissionDenied("Only organizers of the site can create competitions.")
    form = CompetitionForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        competition = save_competition(form, actor=user)
        messages.success(request, "The competition is created. Now set up how it is scored.")
        return redirect("set up split", competition.slug, "public")
    return render(request, "pages/create.html", {"form": form})
