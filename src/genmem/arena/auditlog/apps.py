"""Django app configuration."""

from django.apps import AppConfig


class AuditLogConfig(AppConfig):
    """The append-only log of every change that people make."""

    name = "genmem.arena.auditlog"
    label = "auditlog"
    default_auto_field = "django.db.models.BigAutoField"
