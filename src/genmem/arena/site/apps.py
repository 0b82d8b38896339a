"""Django's record of this part."""

from django.apps import AppConfig


class SiteConfig(AppConfig):
    """The pages' frame: addresses, base page, style sheet, words for times and sizes."""

    name = "genmem.arena.site"
    label = "arena_site"
    default_auto_field = "django.db.models.BigAutoField"
