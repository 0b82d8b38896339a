"""Django's record of this part."""

from django.apps import AppConfig


class BoardsConfig(AppConfig):
    """Score versions that never change, ranks by the written rule, final selections."""

    name = "genmem.arena.boards"
    label = "boards"
    default_auto_field = "django.db.models.BigAutoField"
