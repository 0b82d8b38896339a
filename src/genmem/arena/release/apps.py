"""Django's record of this part; it has pages and no tables."""

from django.apps import AppConfig


class ReleaseConfig(AppConfig):
    """What a competition leaves behind, as files."""

    name = "genmem.arena.release"
    label = "release"
