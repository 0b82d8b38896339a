"""Django's record of this part."""

from django.apps import AppConfig


class DeskConfig(AppConfig):
    """The desk: review queue, labels, decisions, τ and the log, all only ever added to."""

    name = "genmem.arena.desk"
    label = "desk"
    default_auto_field = "django.db.models.BigAutoField"
