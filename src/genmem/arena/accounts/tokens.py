"""Tokens, with which programs speak for a person: shown once, kept as a hash."""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta

from django.http import HttpRequest

from genmem.arena.accounts.models import ApiToken, User
from genmem.arena.core import clock
from genmem.errors import GenmemError

_MARK = "genmem_"
"""What every token begins with, so that one in a log or a repository is found."""

_MOST = 20
_NOTED = timedelta(minutes=1)
"""How exactly the last use is known: a row is not written for every request."""


class TokenError(GenmemError):
    """The token cannot be made; the message says why."""


def create_token(user: User, name: str) -> tuple[ApiToken, str]:
    """A new token and its text, which is kept nowhere: whoever loses it makes another."""
    if ApiToken.objects.filter(user=user).count() >= _MOST:
        raise TokenError(f"You have {_MOST} tokens. Take one back first.")
    text = _MARK + secrets.token_urlsafe(32)
    return ApiToken.objects.create(user=user, name=name.strip(), sha256=_hash(text)), text


def revoke_token(user: User, token_id: int) -> bool:
    """Make one of a person's tokens worthless; whether there was such a one."""
    return bool(ApiToken.objects.filter(user=user, pk=token_id).delete()[0])


def bearer_token(request: HttpRequest) -> str:
    """The text of the token that a request carries; "" where it carries none."""
    kind, _, text = request.headers.get("Authorization", "").partition(" ")
    return text.strip() if kind.lower() == "bearer" else ""


def user_of_token(text: str) -> User | None:
    """Whom a token speaks for; None where it is wrong, was taken back, or its owner is shut out."""
    found = ApiToken.objects.select_related("user").filter(sha256=_hash(text)).first()
    if found is None or not found.user.is_active:
        return None
    now = clock.now()
    if found.last_used_at is None or now - found.last_used_at >= _NOTED:
        ApiToken.objects.filter(pk=found.pk).update(last_used_at=now)
    return found.user


def _hash(text: str) -> str:
    """Neither salted nor slow, as a password's would be: a token has 256 random bits."""
    return hashlib.sha256(text.encode()).hexdigest()
