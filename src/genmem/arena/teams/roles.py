"""Give and revoke the roles of organizer and reviewer; each change goes to the audit log."""

from __future__ import annotations

from django.db import transaction

from genmem.arena.accounts.models import User
from genmem.arena.auditlog.log import record
from genmem.arena.competitions.models import Competition
from genmem.arena.core.errors import RuleError
from genmem.arena.teams.models import Membership, Role


def give_role(competition: Competition, email: str, role: str, *, by: User | None) -> Role:
    """Give the account with this address a role in the competition.

    Args:
        competition: the competition.
        email: address of an existing account.
        role: "reviewer" or "organizer".
        by: who gives it; None for the server's command line.

    Raises:
        RuleError: there is no such account, or its owner takes part in the competition.
    """
    with transaction.atomic():
        user = User.objects.filter(email__iexact=email.strip()).first()
        if user is None:
            raise RuleError(f"No account has the address {email.strip()}; sign up first.")
        if Membership.objects.filter(user=user, competition=competition).exists():
            raise RuleError(f"{user} takes part in this competition, and so cannot judge it.")
        granted, is_new = Role.objects.get_or_create(competition=competition, user=user, role=role)
        if is_new:
            record(
                competition, actor=by, action="give role", subject=user.email, after={"role": role}
            )
        return granted


def revoke_role(competition: Competition, role_id: str, *, by: User | None) -> None:
    """Delete a role; RuleError where it is already gone."""
    with transaction.atomic():
        role = Role.objects.filter(
            competition=competition, pk=int(role_id) if role_id.isdecimal() else None
        ).first()
        if role is None:
            raise RuleError("This role has already been revoked.")
        before = {"role": role.role}
        record(competition, actor=by, action="take role", subject=role.user.email, before=before)
        role.delete()
