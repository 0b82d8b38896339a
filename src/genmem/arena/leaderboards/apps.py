"""Django app configuration."""

from django.apps import AppConfig


class LeaderboardsConfig(AppConfig):
    """Append-only scores, ranks and final selections."""

    name = "genmem.arena.leaderboards"
    label = "leaderboards"
    default_auto_field = "django.db.models.BigAutoField"
