"""The server's clock, by which deadlines are checked."""

from __future__ import annotations

from datetime import datetime

from django.utils import timezone


def now() -> datetime:
    """Return the current time, in UTC. Call it as `clock.now()`, so that tests can set it."""
    return timezone.now()
