"""Django app configuration."""

from django.apps import AppConfig


class TeamsConfig(AppConfig):
    """Teams, invitations, merges and roles: who may see and do what."""

    name = "genmem.arena.teams"
    label = "teams"
    default_auto_field = "django.db.models.BigAutoField"
