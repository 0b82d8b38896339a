"""Django's record of this part."""

from django.apps import AppConfig


class ApiConfig(AppConfig):
    """The programming interface; it has no tables."""

    name = "genmem.arena.api"
    label = "api"
