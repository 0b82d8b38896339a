"""Django app configuration."""

from django.apps import AppConfig


class AccountsConfig(AppConfig):
    """Accounts and API tokens."""

    name = "genmem.arena.accounts"
    label = "accounts"
    default_auto_field = "django.db.models.BigAutoField"
