"""Django app configuration."""

from django.apps import AppConfig


class CoreConfig(AppConfig):
    """What all apps share: base pages, forms, formatting, the clock, append-only models."""

    name = "genmem.arena.core"
    label = "arena_core"
    default_auto_field = "django.db.models.BigAutoField"
