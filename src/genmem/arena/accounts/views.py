"""The pages of one's own account."""

from __future__ import annotations

from typing import cast

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.debug import sensitive_variables
from django.views.decorators.http import require_POST

from genmem.arena.accounts import tokens
from genmem.arena.accounts.forms import NameForm, TokenForm
from genmem.arena.accounts.models import ApiToken, User
from genmem.arena.core.errors import RuleError


@login_required
def account(request: HttpRequest) -> HttpResponse:
    """Show and change the name; list teams, roles and API tokens."""
    user = cast(User, request.user)
    form = NameForm(request.POST or None, instance=user)
    if request.method == "POST" and form.is_valid():
        form.save()
        messages.success(request, "Saved.")
        return redirect("account")
    return render(
        request,
        "accounts/account.html",
        {
            "form": form,
            "memberships": user.memberships.select_related("team", "competition"),
            "roles": user.roles.select_related("competition"),
            "tokens": ApiToken.objects.filter(user=user).order_by("-created_at"),
            "token_form": TokenForm(),
        },
    )


@login_required
@require_POST
@sensitive_variables("text")
def create_token(request: HttpRequest) -> HttpResponse:
    """Create an API token and show it, this once."""
    form = TokenForm(request.POST)
    if not form.is_valid():
        messages.error(request, "Say what the token is for, in 60 letters or fewer.")
        return redirect("account")
    try:
        token, text = tokens.create_token(cast(User, request.user), form.cleaned_data["name"])
    except RuleError as error:
        messages.error(request, str(error))
        return redirect("account")
    return render(request, "accounts/token.html", {"token": token, "text": text})


@login_required
@require_POST
def revoke_token(request: HttpRequest, pk: int) -> HttpResponse:
    """Revoke one of the user's API tokens."""
    if not tokens.revoke_token(cast(User, request.user), pk):
        raise Http404
    messages.success(request, "The token is revoked.")
    return redirect("account")
