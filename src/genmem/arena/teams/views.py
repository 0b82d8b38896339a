"""One's team in a competition: making it, inviting, leaving, merging."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from allauth.core import ratelimit
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.mail import send_mail
from django.forms import BaseForm
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.views.decorators.http import require_POST, require_safe

from genmem.arena.accounts.models import User
from genmem.arena.core.formatting import moment
from genmem.arena.teams import teams
from genmem.arena.teams.forms import InvitationForm, MergeForm, TeamForm
from genmem.arena.teams.models import Invitation, Membership, Merge, Team
from genmem.arena.teams.permissions import get_viewer, require_member


@login_required
@require_safe
def team(request: HttpRequest, slug: str) -> HttpResponse:
    """My team, or the way to one."""
    viewer = get_viewer(request, slug)
    if viewer.team is None:
        return render(request, "teams/no_team.html", {"viewer": viewer, "form": TeamForm()})
    members = Membership.objects.filter(team=viewer.team).select_related("user").order_by("pk")
    open_merges = Merge.objects.filter(accepted_at=None).select_related("team", "into")
    return render(
        request,
        "teams/team.html",
        {
            "viewer": viewer,
            "members": members,
            "invitations": Invitation.objects.filter(team=viewer.team, accepted_at=None),
            "asked": open_merges.filter(team=viewer.team),
            "offered": open_merges.filter(into=viewer.team),
            "invitation_form": InvitationForm(),
            "merge_form": MergeForm(auto_id="merge_%s"),
            "address": settings.ARENA.public_address,
        },
    )


@login_required
@require_POST
def create(request: HttpRequest, slug: str) -> HttpResponse:
    """Make a team with oneself as its captain."""
    viewer = get_viewer(request, slug)
    form = TeamForm(request.POST)
    if not form.is_valid():
        return render(request, "teams/no_team.html", {"viewer": viewer, "form": form}, status=400)
    user = cast(User, request.user)
    name = form.cleaned_data["name"]
    return _attempt(
        request,
        slug,
        lambda: teams.create_team(viewer.competition, user, name),
        f"{name} takes part.",
    )


@login_required
@require_POST
def invite(request: HttpRequest, slug: str) -> HttpResponse:
    """Invite somebody by e-mail; the link can be passed on by hand too."""
    _, mine, user = require_member(request, slug)
    form = InvitationForm(request.POST)
    if not form.is_valid():
        return _complain(request, slug, form)

    def send() -> None:
        invitation = teams.invite(mine, user, form.cleaned_data["email"])
        if not ratelimit.consume(request, action="invite", user=user, key=invitation.email):
            messages.warning(request, "No more mail is sent there today: pass the link on by hand.")
            return
        send_mail(
            f"[{settings.ARENA.name}] Join {mine.name}",
            _invitation_text(mine, user, invitation),
            None,
            [invitation.email],
            fail_silently=True,
        )

    return _attempt(request, slug, send, "Invited. The link below can be passed on by hand too.")


@login_required
@require_POST
def withdraw(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """Take an invitation back."""
    _, mine, user = require_member(request, slug)
    found = get_object_or_404(Invitation, pk=pk, team=mine)
    return _attempt(
        request, slug, lambda: teams.withdraw_invitation(found, user), "The invitation is void."
    )


@login_required
@require_POST
def leave(request: HttpRequest, slug: str) -> HttpResponse:
    """Leave the team."""
    _, mine, user = require_member(request, slug)
    return _attempt(request, slug, lambda: teams.leave(mine, user), f"You have left {mine.name}.")


@login_required
@require_POST
def ask_to_merge(request: HttpRequest, slug: str) -> HttpResponse:
    """Ask another team to take ours in."""
    _, mine, user = require_member(request, slug)
    form = MergeForm(request.POST)
    if not form.is_valid():
        return _complain(request, slug, form)
    name = form.cleaned_data["name"]
    return _attempt(
        request,
        slug,
        lambda: teams.ask_to_merge(mine, user, name),
        "Asked. Their captain finds it on their team's page.",
    )


@login_required
@require_POST
def accept_merge(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """Take another team in."""
    _, mine, user = require_member(request, slug)
    found = get_object_or_404(Merge, pk=pk, into=mine)
    return _attempt(request, slug, lambda: teams.accept_merge(found, user), "The teams are one.")


@login_required
@require_POST
def drop_merge(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """Take a request to merge back, or decline it."""
    viewer, mine, user = require_member(request, slug)
    found = get_object_or_404(Merge, pk=pk, team__competition=viewer.competition)
    if mine not in (found.team, found.into):
        found = get_object_or_404(Merge, pk=pk, into=mine)
    return _attempt(request, slug, lambda: teams.drop_merge(found, user), "The request is gone.")


@login_required
def invitation(request: HttpRequest, token: str) -> HttpResponse:
    """An invitation, for whoever has its link; accepted by whoever owns its address."""
    user = cast(User, request.user)
    found = get_object_or_404(Invitation.objects.select_related("team__competition"), token=token)
    mine = user.email.lower() == found.email.lower()
    if request.method == "POST":
        try:
            joined = teams.accept_invitation(found, user)
        except teams.TeamError as error:
            messages.error(request, str(error))
            return redirect("invitation", token)
        messages.success(request, f"You are in the team {joined.name}.")
        return redirect("team", joined.competition.slug)
    return render(request, "teams/invitation.html", {"invitation": found, "mine": mine})


def _attempt(request: HttpRequest, slug: str, act: Callable[[], object], done: str) -> HttpResponse:
    """Do it, say so or say why not, and show the team."""
    try:
        act()
    except teams.TeamError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, done)
    return redirect("team", slug)


def _complain(request: HttpRequest, slug: str, form: BaseForm) -> HttpResponse:
    for errors in form.errors.values():
        messages.error(request, " ".join(str(error) for error in errors))
    return redirect("team", slug)


def _invitation_text(mine: Team, user: User, invitation: Invitation) -> str:
    link = settings.ARENA.public_address + reverse("invitation", args=[invitation.token])
    until = min(mine.competition.merge_until, mine.competition.closes_at)
    return (
        f"{user} invites you to the team {mine.name} in the competition "
        f"{mine.competition.title}.\n\n{link}\n\n"
        f"Sign in or sign up with this address, {invitation.email}. "
        f"The invitation holds until {moment(until)}.\n"
    )
