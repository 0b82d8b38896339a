"""One's own account, and invitations to teams."""

from __future__ import annotations

from typing import cast

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_POST

from genmem.arena.accounts.forms import NameForm, TokenForm
from genmem.arena.accounts.models import ApiToken, User
from genmem.arena.accounts.tokens import TokenError, make_token, take_back
from genmem.arena.teams.models import Invitation, Membership, Role
from genmem.arena.teams.teams import TeamError, accept_invitation


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
        "accounts/account.html",
        {
            "form": form,
            "memberships": memberships,
            "roles": roles,
            "tokens": ApiToken.objects.filter(user=user).order_by("-created_at"),
            "token_form": TokenForm(),
        },
    )


@login_required
@require_POST
@sensitive_variables("text")
def new_token(request: HttpRequest) -> HttpResponse:
    """A new token; this page, and no other, shows it."""
    form = TokenForm(request.POST)
    if not form.is_valid():
        messages.error(request, "Say what the token is for, in 60 letters or fewer.")
        return redirect("account")
    try:
        made, text = make_token(cast(User, request.user), form.cleaned_data["name"])
    except TokenError as error:
        messages.error(request, str(error))
        return redirect("account")
    return render(request, "accounts/token.html", {"token": made, "text": text})


@login_required
@require_POST
def drop_token(request: HttpRequest, pk: int) -> HttpResponse:
    """Take one of my tokens back."""
    if not take_back(cast(User, request.user), pk):
        raise Http404
    messages.success(request, "Taken back: nothing can be done with it any more.")
    return redirect("account")


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
    return render(request, "teams/invitation.html", {"invitation": found, "mine": mine})
