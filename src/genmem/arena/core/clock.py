"""The one clock that deadlines are held to: the server's."""

from __future__ import annotations

from datetime import datetime

from django.utils import timezone


def now() -> datetime:
    """The present moment, in UTC. Called as `clock.now()`, so that tests can set it."""
    return timezone.now()
