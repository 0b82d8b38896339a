"""The adapter of django-allauth."""

from __future__ import annotations

from allauth.account.adapter import DefaultAccountAdapter
from django.conf import settings
from django.http import HttpRequest


class Accounts(DefaultAccountAdapter):
    """Open or close sign-up as `arena.toml` says."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """Return whether anybody may create an account."""
        return settings.ARENA.signup
