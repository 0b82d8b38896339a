"""Django's record of this part."""

from django.apps import AppConfig


class RatingsConfig(AppConfig):
    """Ratings by people."""

    name = "genmem.arena.ratings"
    label = "ratings"
    default_auto_field = "django.db.models.BigAutoField"
