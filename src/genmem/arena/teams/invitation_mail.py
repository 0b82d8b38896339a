"""The mail that invites somebody to a team."""

from __future__ import annotations

from django.conf import settings
from django.core.mail import send_mail
from django.urls import reverse

from genmem.arena.accounts.models import User
from genmem.arena.core.formatting import moment
from genmem.arena.teams.models import Invitation


def send_invitation(invitation: Invitation, by: User) -> None:
    """Mail the link of an invitation to its address; a mail server that fails is ignored."""
    team = invitation.team
    competition = team.competition
    link = settings.ARENA.public_address + reverse("invitation", args=[invitation.token])
    until = min(competition.merge_until, competition.closes_at)
    send_mail(
        f"[{settings.ARENA.name}] Join {team.name}",
        f"{by} invites you to the team {team.name} in the competition {competition.title}.\n\n"
        f"{link}\n\n"
        f"Sign in or sign up with this address, {invitation.email}. "
        f"The invitation is valid until {moment(until)}.\n",
        None,
        [invitation.email],
        fail_silently=True,
    )
