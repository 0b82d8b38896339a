"""Django app configuration."""

from django.apps import AppConfig


class ExportConfig(AppConfig):
    """A competition as files."""

    name = "genmem.arena.export"
    label = "export"
