"""Django's record of this part."""

from django.apps import AppConfig


class SubmissionsConfig(AppConfig):
    """What teams send in: received, checked, kept, and shown with its steps."""

    name = "genmem.arena.submissions"
    label = "submissions"
    default_auto_field = "django.db.models.BigAutoField"
