"""Who asks, and how often they may."""

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
"""Requests a minute with one token, or of one signed-in person."""

PER_ADDRESS = 120
"""Requests a minute from one address without either."""

WRONG_TOKENS = 20
"""Wrong tokens a minute from one address."""

_WINDOW = 60
_SAFE = ("GET", "HEAD", "OPTIONS")


class Anybody(HttpBearer):
    """Takes a token, the cookie of somebody signed in (to read only), or nobody at all."""

    def __call__(self, request: HttpRequest) -> object:
        """Whoever asks, as `request.user` too; "nobody" for a stranger."""
        text = bearer_token(request)
        if text:
            return self.authenticate(request, text)
        if isinstance(request.user, User) and request.method in _SAFE:
            _count(f"user-{request.user.pk}", PER_TOKEN)
            return request.user
        _count(f"address-{_address(request)}", PER_ADDRESS)
        return "nobody"

    def authenticate(self, request: HttpRequest, token: str) -> object:
        """The token's owner."""
        _count(f"wrong-{_address(request)}", WRONG_TOKENS, by=0)
        user = user_of_token(token)
        if user is None:
            _count(f"wrong-{_address(request)}", WRONG_TOKENS)
            raise AuthenticationError(
                401, "The token is wrong or was taken back; make one on your account's page."
            )
        _count(f"token-{hashlib.sha256(token.encode()).hexdigest()}", PER_TOKEN)
        request.user = user
        return user


class Known(Anybody):
    """As `Anybody`, less nobody."""

    def __call__(self, request: HttpRequest) -> object:
        """Whoever asks, as `request.user` too."""
        found = super().__call__(request)
        if found == "nobody":
            raise AuthenticationError(
                401, "Send a token (Authorization: Bearer TOKEN); make one on your account's page."
            )
        return found


def _count(key: str, most: int, by: int = 1) -> None:
    """Count a request in this minute; raise Throttled beyond the most that is allowed."""
    seconds = clock.now().timestamp()
    key = f"api-{key}-{int(seconds // _WINDOW)}"
    cache.add(key, 0, 2 * _WINDOW)
    if cache.incr(key, by) > most - (by == 0):
        raise Throttled(wait=_WINDOW - int(seconds % _WINDOW))


def _address(request: HttpRequest) -> str:
    return get_adapter().get_client_ip(request)
