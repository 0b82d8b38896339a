"""The people who run the whole site."""

from __future__ import annotations

import secrets

from django.core.exceptions import ValidationError
from django.core.validators import validate_email
from django.db import transaction

from genmem.arena.accounts.models import User
from genmem.errors import UsageError


def create_organiser(email: str, name: str = "") -> str | None:
    """Let the owner of an address run the site.

    Returns:
        The password of the account that was made; None where there was one already.

    Raises:
        UsageError: this is no e-mail address.
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
