"""Django's record of this part."""

from django.apps import AppConfig


class PeopleConfig(AppConfig):
    """Accounts, teams with invitations and merges, roles, and who may see what."""

    name = "genmem.arena.people"
    label = "people"
    default_auto_field = "django.db.models.BigAutoField"
