"""The pages of one's own team: create, invite, leave, merge."""

from __future__ import annotations

from collections.abc import Callable
from typing import cast

from allauth.core import ratelimit
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.forms import BaseForm
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_POST, require_safe

from genmem.arena.accounts.models import User
from genmem.arena.core.errors import RuleError
from genmem.arena.teams import teams
from genmem.arena.teams.forms import InvitationForm, MergeForm, TeamForm
from genmem.arena.teams.invitation_mail import send_invitation
from genmem.arena.teams.models import Invitation, Membership, MergeRequest
from genmem.arena.teams.permissions import get_viewer, require_member


@login_required
@require_safe
def team(request: HttpRequest, slug: str) -> HttpResponse:
    """Show the user's team, or the form that creates one."""
    viewer = get_viewer(request, slug)
    if viewer.team is None:
        return render(request, "teams/no_team.html", {"viewer": viewer, "form": TeamForm()})
    members = Membership.objects.filter(team=viewer.team).select_related("user").order_by("pk")
    open_merges = MergeRequest.objects.filter(accepted_at=None).select_related("team", "into")
    return render(
        request,
        "teams/team.html",
        {
            "viewer": viewer,
            "members": members,
            "invitations": Invitation.objects.filter(team=viewer.team, accepted_at=None),
            "outgoing_merges": open_merges.filter(team=viewer.team),
            "incoming_merges": open_merges.filter(into=viewer.team),
            "invitation_form": InvitationForm(),
            "merge_form": MergeForm(auto_id="merge_%s"),
            "address": settings.ARENA.public_address,
        },
    )


@login_required
@require_POST
def create(request: HttpRequest, slug: str) -> HttpResponse:
    """Create a team with the user as its captain."""
    viewer = get_viewer(request, slug)
    form = TeamForm(request.POST)
    if not form.is_valid():
        return render(request, "teams/no_team.html", {"viewer": viewer, "form": form}, status=400)
    user = cast(User, request.user)
    name = form.cleaned_data["name"]
    return _change_team(
        request,
        slug,
        lambda: teams.create_team(viewer.competition, user, name),
        f"{name} takes part.",
    )


@login_required
@require_POST
def invite(request: HttpRequest, slug: str) -> HttpResponse:
    """Invite somebody by e-mail, as often as the rate limit of mails allows."""
    _, team, user = require_member(request, slug)
    form = InvitationForm(request.POST)
    if not form.is_valid():
        return _show_errors(request, slug, form)

    def send() -> None:
        invitation = teams.invite(team, user, form.cleaned_data["email"])
        if ratelimit.consume(request, action="invite", user=user, key=invitation.email):
            send_invitation(invitation, user)
        else:
            messages.warning(request, "No more mail is sent there today: pass on the link below.")

    return _change_team(request, slug, send, "Invited. You can also pass on the link below.")


@login_required
@require_POST
def withdraw(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """Withdraw an invitation."""
    _, team, user = require_member(request, slug)
    invitation = get_object_or_404(Invitation, pk=pk, team=team)
    return _change_team(
        request,
        slug,
        lambda: teams.withdraw_invitation(invitation, user),
        "The invitation is withdrawn.",
    )


@login_required
@require_POST
def leave(request: HttpRequest, slug: str) -> HttpResponse:
    """Leave the team."""
    _, team, user = require_member(request, slug)
    return _change_team(
        request, slug, lambda: teams.leave(team, user), f"You have left {team.name}."
    )


@login_required
@require_POST
def request_merge(request: HttpRequest, slug: str) -> HttpResponse:
    """Ask another team to take this one in."""
    _, team, user = require_member(request, slug)
    form = MergeForm(request.POST)
    if not form.is_valid():
        return _show_errors(request, slug, form)
    return _change_team(
        request,
        slug,
        lambda: teams.request_merge(team, user, form.cleaned_data["name"]),
        "Requested. Their captain sees the request on their team's page.",
    )


@login_required
@require_POST
def accept_merge(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """Accept another team's request to merge."""
    _, team, user = require_member(request, slug)
    merge = get_object_or_404(MergeRequest, pk=pk, into=team)
    return _change_team(
        request, slug, lambda: teams.accept_merge(merge, user), "The teams have merged."
    )


@login_required
@require_POST
def cancel_merge(request: HttpRequest, slug: str, pk: int) -> HttpResponse:
    """Withdraw or decline a request to merge."""
    viewer, team, user = require_member(request, slug)
    merge = get_object_or_404(MergeRequest, pk=pk, team__competition=viewer.competition)
    if team not in (merge.team, merge.into):
        raise Http404
    return _change_team(
        request, slug, lambda: teams.cancel_merge(merge, user), "The request is cancelled."
    )


@login_required
def invitation(request: HttpRequest, token: str) -> HttpResponse:
    """Show an invitation to whoever has its link; the owner of its address can accept it."""
    user = cast(User, request.user)
    row = get_object_or_404(Invitation.objects.select_related("team__competition"), token=token)
    if request.method == "POST":
        try:
            team = teams.accept_invitation(row, user)
        except RuleError as error:
            messages.error(request, str(error))
            return redirect("invitation", token)
        messages.success(request, f"You are in the team {team.name}.")
        return redirect("team", team.competition.slug)
    is_addressee = user.email.lower() == row.email.lower()
    context = {"invitation": row, "is_addressee": is_addressee}
    return render(request, "teams/invitation.html", context)


def _change_team(
    request: HttpRequest, slug: str, change: Callable[[], object], success: str
) -> HttpResponse:
    """Make the change, show its success or the rule that forbids it, and return to the team."""
    try:
        change()
    except RuleError as error:
        messages.error(request, str(error))
    else:
        messages.success(request, success)
    return redirect("team", slug)


def _show_errors(request: HttpRequest, slug: str, form: BaseForm) -> HttpResponse:
    for errors in form.errors.values():
        messages.error(request, " ".join(str(error) for error in errors))
    return redirect("team", slug)
