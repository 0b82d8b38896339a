"""API tokens: shown once, stored as a hash."""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta

from django.http import HttpRequest

from genmem.arena.accounts.models import ApiToken, User
from genmem.arena.core import clock
from genmem.arena.core.errors import RuleError

_PREFIX = "genmem_"
"""Prefix of every token, so that secret scanners find one in a log or a repository."""

_MAX_TOKENS = 20
_LAST_USED_RESOLUTION = timedelta(minutes=1)
"""The time of last use is written at most this often, not for every request."""


def create_token(user: User, name: str) -> tuple[ApiToken, str]:
    """Create a token.

    Returns:
        Its row, and its text, which is stored nowhere.

    Raises:
        RuleError: the user has too many tokens.
    """
    if ApiToken.objects.filter(user=user).count() >= _MAX_TOKENS:
        raise RuleError(f"You have {_MAX_TOKENS} tokens. Revoke one first.")
    text = _PREFIX + secrets.token_urlsafe(32)
    return ApiToken.objects.create(user=user, name=name.strip(), sha256=_hash(text)), text


def revoke_token(user: User, token_id: int) -> bool:
    """Delete one of the user's tokens; return whether it existed."""
    return bool(ApiToken.objects.filter(user=user, pk=token_id).delete()[0])


def bearer_token(request: HttpRequest) -> str:
    """Return the text of the request's token; "" where it has none."""
    kind, _, text = request.headers.get("Authorization", "").partition(" ")
    return text.strip() if kind.lower() == "bearer" else ""


def user_of_token(text: str) -> User | None:
    """Return a token's owner; None where it is wrong or revoked, or the owner is deactivated."""
    token = ApiToken.objects.select_related("user").filter(sha256=_hash(text)).first()
    if token is None or not token.user.is_active:
        return None
    now = clock.now()
    if token.last_used_at is None or now - token.last_used_at >= _LAST_USED_RESOLUTION:
        ApiToken.objects.filter(pk=token.pk).update(last_used_at=now)
    return token.user


def _hash(text: str) -> str:
    """Hash without salt or stretching: a token has 256 random bits, unlike a password."""
    return hashlib.sha256(text.encode()).hexdigest()
