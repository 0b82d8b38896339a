"""How accounts are made here."""

from __future__ import annotations

from allauth.account.adapter import DefaultAccountAdapter
from django.conf import settings
from django.http import HttpRequest


class Accounts(DefaultAccountAdapter):
    """django-allauth, with sign-up as `arena.toml` says."""

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """Whether anybody may make an account."""
        return settings.ARENA.signup
