"""Log entries. They are added and never changed or deleted."""

from __future__ import annotations

from django.db import models

from genmem.arena.accounts.models import User
from genmem.arena.core import clock
from genmem.arena.core.models import AppendOnly


class LogEntry(AppendOnly):
    """One change. `actor` is null for a change made on the server's command line."""

    competition = models.ForeignKey("competitions.Competition", models.PROTECT, related_name="log")
    actor = models.ForeignKey(User, models.PROTECT, null=True, blank=True, related_name="log")
    at = models.DateTimeField(default=clock.now, editable=False, db_index=True)
    action = models.CharField(max_length=60, db_index=True)
    subject = models.CharField(max_length=200)
    before = models.JSONField(null=True, blank=True)
    after = models.JSONField(null=True, blank=True)

    def __str__(self) -> str:
        return f"{self.action}: {self.subject}"
