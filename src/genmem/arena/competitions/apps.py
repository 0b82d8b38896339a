"""Django's record of this part."""

from django.apps import AppConfig


class CompetitionsConfig(AppConfig):
    """Competitions and their splits: what is asked, until when, and how it is scored."""

    name = "genmem.arena.competitions"
    label = "competitions"
    default_auto_field = "django.db.models.BigAutoField"
