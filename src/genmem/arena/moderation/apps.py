"""Django app configuration."""

from django.apps import AppConfig


class ModerationConfig(AppConfig):
    """The review queue, labels, decisions and rebuttals, and changes of τ."""

    name = "genmem.arena.moderation"
    label = "moderation"
    default_auto_field = "django.db.models.BigAutoField"
