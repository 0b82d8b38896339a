"""Django's record of this part."""

from django.apps import AppConfig


class ScoringConfig(AppConfig):
    """Scoring what was received."""

    name = "genmem.arena.scoring"
    label = "scoring"
    default_auto_field = "django.db.models.BigAutoField"
