"""Authentication and rate limits of the REST API.

The limits count requests in fixed minutes with the cache's atomic increment. django-ninja's own
throttles run after authentication, so they cannot limit wrong tokens, and lose counts when two
requests come at once.
"""

from __future__ import annotations

import hashlib

from allauth.account.adapter import get_adapter
from django.core.cache import cache
from django.http import HttpRequest
from ninja.errors import AuthenticationError, Throttled
from ninja.security import HttpBearer

from genmem.arena.accounts.models import User
from genmem.arena.accounts.tokens import bearer_token, user_of_token
from genmem.arena.core import clock

PER_TOKEN = 300
"""Requests per minute with one token, or by one signed-in user."""

PER_ADDRESS = 120
"""Requests per minute from one IP address without either."""

WRONG_TOKENS = 20
"""Wrong tokens per minute from one IP address."""

_WINDOW = 60
_SAFE = ("GET", "HEAD", "OPTIONS")


class OptionalAuth(HttpBearer):
    """Accept a token, a session cookie (for reading only), or an anonymous caller."""

    def __call__(self, request: HttpRequest) -> object:
        """Return the caller and set `request.user`; "anonymous" without token and cookie."""
        text = bearer_token(request)
        if text:
            return self.authenticate(request, text)
        if isinstance(request.user, User) and request.method in _SAFE:
            _count(f"user-{request.user.pk}", PER_TOKEN)
            return request.user
        _count(f"ip-{_client_ip(request)}", PER_ADDRESS)
        return "anonymous"

    def authenticate(self, request: HttpRequest, token: str) -> object:
        """Return the owner of the token."""
        _count(f"wrong-{_client_ip(request)}", WRONG_TOKENS, by=0)
        user = user_of_token(token)
        if user is None:
            _count(f"wrong-{_client_ip(request)}", WRONG_TOKENS)
            raise AuthenticationError(
                401, "The token is wrong or was revoked; create one on your account page."
            )
        _count(f"token-{hashlib.sha256(token.encode()).hexdigest()}", PER_TOKEN)
        request.user = user
        return user


class RequiredAuth(OptionalAuth):
    """As `OptionalAuth`, but refuse anonymous callers."""

    def __call__(self, request: HttpRequest) -> object:
        """Return the caller and set `request.user`."""
        caller = super().__call__(request)
        if caller == "anonymous":
            raise AuthenticationError(
                401, "Send a token (Authorization: Bearer TOKEN); create one on your account page."
            )
        return caller


def _count(key: str, limit: int, by: int = 1) -> None:
    """Count a request in this minute; raise Throttled beyond the limit (by=0 only checks)."""
    seconds = clock.now().timestamp()
    key = f"api-{key}-{int(seconds // _WINDOW)}"
    cache.add(key, 0, 2 * _WINDOW)
    if cache.incr(key, by) > limit - (by == 0):
        raise Throttled(wait=_WINDOW - int(seconds % _WINDOW))


def _client_ip(request: HttpRequest) -> str:
    return get_adapter().get_client_ip(request)
