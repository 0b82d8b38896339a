"""Django's record of this part."""

from django.apps import AppConfig


class DeskConfig(AppConfig):
    """The organiser's desk: so far the log that is only ever added to."""

    name = "genmem.arena.desk"
    label = "desk"
    default_auto_field = "django.db.models.BigAutoField"
