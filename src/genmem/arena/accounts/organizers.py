"""Organizers of the whole site."""

from __future__ import annotations

import secrets

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction

from genmem.arena.accounts.models import User
from genmem.errors import UsageError


def create_organizer(email: str, name: str = "") -> str | None:
    """Let the owner of an address run the site; create their account if there is none.

    Args:
        email: the address.
        name: display name of a new account; "" takes the part of the address before the @.

    Returns:
        The password of a new account; None where one existed.

    Raises:
        UsageError: `email` is not an e-mail address.
    """
    email = email.strip().lower()
    try:
        validate_email(email)
    except ValidationError:
        raise UsageError(f"expected an e-mail address, got {email!r}") from None
    with transaction.atomic():
        user = User.objects.filter(email=email).first()
        if user is not None:
            user.is_staff = True
            user.save(update_fields=["is_staff"])
            return None
        password = secrets.token_urlsafe(12)
        User.objects.create_user(
            email, password, display_name=name or email.partition("@")[0], is_staff=True
        )
        return password
