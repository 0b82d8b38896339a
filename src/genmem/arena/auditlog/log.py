"""Write entries to the audit log."""

from __future__ import annotations

import json
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.db import models

from genmem.arena.accounts.models import User
from genmem.arena.auditlog.models import LogEntry

QUIET = ("label", "note", "rebut", "answer rebuttal")
"""Actions that change no leaderboard."""


def record(
    competition: models.Model,
    *,
    actor: User | None,
    action: str,
    subject: str,
    before: Any = None,
    after: Any = None,
) -> LogEntry:
    """Add an entry. Call this inside the transaction that makes the change.

    Args:
        competition: the competition in which the change was made.
        actor: the user who made it; None for the server's command line.
        action: what was done, in a few words: "edit competition".
        subject: what was changed.
        before: state before the change, as JSON; may hold dates and UUIDs.
        after: state after the change, as `before`.

    Returns:
        The new entry.
    """
    return LogEntry.objects.create(
        competition=competition,
        actor=actor,
        action=action,
        subject=subject[:200],
        before=_to_json(before),
        after=_to_json(after),
    )


def record_difference(
    competition: models.Model,
    *,
    actor: User | None,
    action: str,
    subject: str,
    before: dict[str, Any],
    after: dict[str, Any],
) -> LogEntry | None:
    """Add an entry with the fields that differ between `before` and `after`.

    Args:
        competition: as for `record`.
        actor: as for `record`.
        action: as for `record`.
        subject: as for `record`.
        before: field values before the change.
        after: field values after it.

    Returns:
        The new entry; None where no field differs.
    """
    changed = [name for name in after if _to_json(before.get(name)) != _to_json(after[name])]
    if not changed:
        return None
    return record(
        competition,
        actor=actor,
        action=action,
        subject=subject,
        before={name: before.get(name) for name in changed},
        after={name: after[name] for name in changed},
    )


def _to_json(value: Any) -> Any:
    return json.loads(json.dumps(value, cls=DjangoJSONEncoder))
