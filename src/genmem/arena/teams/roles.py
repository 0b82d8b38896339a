"""Giving and taking roles, each change written to the log."""

from __future__ import annotations

from django.db import transaction

from genmem.arena.accounts.models import User
from genmem.arena.auditlog.log import record
from genmem.arena.competitions.models import Competition
from genmem.arena.teams.models import Membership, Role
from genmem.errors import GenmemError


class RoleError(GenmemError):
    """The role cannot be given or taken; the message says why."""


def give_role(competition: Competition, email: str, role: str, *, by: User | None) -> Role:
    """Make the owner of an address a reviewer or organiser of the competition."""
    with transaction.atomic():
        user = User.objects.filter(email__iexact=email.strip()).first()
        if user is None:
            raise RoleError(f"Nobody here has the address {email.strip()}; they sign up first.")
        if Membership.objects.filter(user=user, competition=competition).exists():
            raise RoleError(f"{user} takes part in this competition, and so cannot judge it.")
        found, new = Role.objects.get_or_create(competition=competition, user=user, role=role)
        if new:
            record(
                competition, actor=by, action="give role", subject=user.email, after={"role": role}
            )
        return found


def take_role(competition: Competition, role_id: str, *, by: User | None) -> None:
    """Take a role back."""
    with transaction.atomic():
        found = Role.objects.filter(
            competition=competition, pk=int(role_id) if role_id.isdecimal() else None
        ).first()
        if found is None:
            raise RoleError("This role has been taken back already.")
        record(
            competition,
            actor=by,
            action="take role",
            subject=found.user.email,
            before={"role": found.role},
        )
        found.delete()
