"""Writing to the log."""

from __future__ import annotations

import json
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.forms.models import model_to_dict

from genmem.arena.accounts.models import User
from genmem.arena.auditlog.models import LogEntry
from genmem.arena.competitions.models import Competition, Split

QUIET = ("label", "note", "rebut", "answer rebuttal")
"""Actions that move no board."""


def record(
    competition: Competition,
    *,
    actor: User | None,
    action: str,
    subject: str,
    before: Any = None,
    after: Any = None,
) -> LogEntry:
    """Add an entry, in the transaction of the change itself.

    Args:
        competition: in which the change was made.
        actor: who made it; None on the server's command line.
        action: what was done, in a few words: "edit competition".
        subject: to what.
        before: JSON; dates and UUIDs may be in it.
        after: as `before`.
    """
    return LogEntry.objects.create(
        competition=competition,
        actor=actor,
        action=action,
        subject=subject[:200],
        before=_plain(before),
        after=_plain(after),
    )


def record_difference(
    competition: Competition,
    *,
    actor: User | None,
    action: str,
    subject: str,
    before: dict[str, Any],
    after: dict[str, Any],
) -> LogEntry | None:
    """Add an entry with the fields that differ; none where nothing does."""
    changed = [name for name in after if _plain(before.get(name)) != _plain(after[name])]
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


def state_of(thing: Competition | Split) -> dict[str, Any]:
    """The fields of a competition or split, for `before` and `after`."""
    return model_to_dict(thing)


def _plain(value: Any) -> Any:
    return json.loads(json.dumps(value, cls=DjangoJSONEncoder))
