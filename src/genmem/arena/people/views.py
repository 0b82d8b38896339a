"""One's own account, and invitations to teams."""

from __future__ import annotations

from typing import cast

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render

from genmem.arena.people.forms import NameForm
from genmem.arena.people.models import Invitation, Membership, Role, User
from genmem.arena.people.teams import TeamError, accept_invitation


@login_required
def account(request: HttpRequest) -> HttpResponse:
    """Name, address, password, and the teams one is in."""
    user = cast(User, request.user)
    form = NameForm(request.POST or None, instance=user)
    if request.method == "POST" and form.is_valid():
        form.save()
        messages.success(request, "Saved.")
        return redirect("account")
    memberships = Membership.objects.filter(user=user).select_related("team", "competition")
    roles = Role.objects.filter(user=user).select_related("competition")
    return render(
        request,
        "people/account.html",
        {"form": form, "memberships": memberships, "roles": roles},
    )


@login_required
def invitation(request: HttpRequest, token: str) -> HttpResponse:
    """An invitation, for whoever has its link; accepted by whoever owns its address."""
    user = cast(User, request.user)
    found = get_object_or_404(Invitation.objects.select_related("team__competition"), token=token)
    mine = user.email.lower() == found.email.lower()
    if request.method == "POST":
        try:
            joined = accept_invitation(found, user)
        except TeamError as error:
            messages.error(request, str(error))
            return redirect("invitation", token)
        messages.success(request, f"You are in the team {joined.name}.")
        return redirect("team", joined.competition.slug)
    return render(request, "people/invitation.html", {"invitation": found, "mine": mine})
