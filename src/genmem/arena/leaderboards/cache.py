"""An in-process cache of what leaderboards are computed from.

Scores are append-only and every other change adds an audit-log entry, so a few counts describe the
state of the database (`score_state`, `leaderboard_state`). A cached value is valid as long as its
state is. One thread computes a value; the others wait for it, or use the previous one.

Django's cache framework pickles each value at every read, which takes longer than ranking, and has
no lock per key; it only serves here to clear this cache together with its own.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Hashable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple, TypeVar

import numpy as np
from django.core.cache import cache
from django.db import connection

from genmem.arena.auditlog.log import QUIET
from genmem.arena.auditlog.models import LogEntry
from genmem.arena.competitions.models import Competition, Split
from genmem.arena.leaderboards.models import ScoreVersion
from genmem.arena.leaderboards.ranking import ScoredSubmission
from genmem.arena.submissions.models import Submission
from genmem.metrics.mifid import Standing, standing

T = TypeVar("T")

_STATE = """
    SELECT (SELECT max(id) FROM {scores}),
           (SELECT count(*) FROM {scores}),
           (SELECT count(*) FROM {submissions} WHERE state = 'scored'),
           (SELECT count(*) FROM {log} WHERE action = 'merge teams'),
           (SELECT max(id) FROM {log} WHERE action NOT IN {quiet}),
           (SELECT count(*) FROM {log} WHERE action NOT IN {quiet})
""".format(
    scores=ScoreVersion._meta.db_table,
    submissions=Submission._meta.db_table,
    log=LogEntry._meta.db_table,
    quiet=f"({', '.join(['%s'] * len(QUIET))})",
)

_LIFETIME = 60
"""Seconds after which a value is computed again even if the state is the same."""

_STALE = 10
"""Seconds for which a value may be outdated, for callers that do not wait."""

_MAX_LOOKUPS = 500
"""Dates of up to so many submissions are read by primary key; of more, with all others."""


class _Content(NamedTuple):
    state: tuple[str, Hashable]
    expires: float
    value: Any


@dataclass
class _Slot:
    """The place of one key. `valid_at`: when the content was last known to be up to date."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    content: _Content | None = None
    valid_at: float = 0.0

    def get(self, state: tuple[str, Hashable]) -> _Content | None:
        """The content, if it is of this state and has not expired."""
        content = self.content
        if content is None or content.state != state or content.expires < time.monotonic():
            return None
        self.valid_at = time.monotonic()
        return content


_slots: dict[Hashable, _Slot] = {}


def cached(
    key: Hashable,
    state: Hashable,
    compute: Callable[[], T],
    seconds: float = _LIFETIME,
    *,
    wait: bool = True,
) -> T:
    """Return the value cached for this key and state, or compute it. Do not modify the result.

    Args:
        key: identifies the value; one value per key is stored.
        state: identifies the data the value is computed from.
        compute: returns the value; called by one thread at a time.
        seconds: the longest time the value is used.
        wait: whether to wait while another thread computes the value. False: return the previous
            value meanwhile if it was valid within the last seconds, so that a change does not
            block everybody who looks at a busy leaderboard.
    """
    # Clearing Django's cache, as tests do, clears this cache too.
    generation = str(cache.get_or_set("leaderboards", lambda: uuid.uuid4().hex, None))
    full_state = generation, state
    slot = _slots.setdefault(key, _Slot())
    previous = slot.content
    if content := slot.get(full_state):
        return content.value
    if (
        previous is None
        or previous.state[0] != generation
        or slot.valid_at < time.monotonic() - _STALE
    ):
        previous = None
    if not slot.lock.acquire(blocking=wait or previous is None) and previous is not None:
        return previous.value
    try:
        content = slot.get(full_state)
        if content is None:
            content = _Content(full_state, time.monotonic() + seconds, compute())
            slot.content, slot.valid_at = content, time.monotonic()
        return content.value
    finally:
        slot.lock.release()


def score_state() -> tuple[int | None, ...]:
    """Changes with every score, with the set of scored submissions, and when teams merge."""
    return leaderboard_state()[:4]


def leaderboard_state() -> tuple[int | None, ...]:
    """Changes with every score, final selection, decision, team and setting."""
    with connection.cursor() as cursor:  # one statement, since every leaderboard request runs it
        cursor.execute(_STATE, QUIET * 2)
        return cursor.fetchone()


def current_scores(competition: Competition, kind: str) -> list[ScoredSubmission]:
    """The score in force of every scored submission on one split, disqualified ones included."""
    key = "current scores", competition.pk, kind
    return cached(key, score_state(), lambda: _read_scores(competition, kind))


def _read_scores(competition: Competition, kind: str) -> list[ScoredSubmission]:
    versions = dict(
        Split.objects.filter(competition=competition, kind=kind).values_list("pk", "version")
    )
    rows = ScoreVersion.objects.filter(
        split_id__in=list(versions), superseded_by=None, submission__state="scored"
    ).values_list(
        *("submission_id", "submission__team_id", "score", "fd", "distance", "split_id"),
        *("tau", "fd_floor"),
    )
    newest: dict[uuid.UUID, tuple[Any, ...]] = {}
    for row in rows:
        current = newest.get(row[0])
        if current is None or versions[row[5]] > versions[current[5]]:
            newest[row[0]] = row
    received = _receipt_times(competition, list(newest))
    fd, distance, tau, floor = (
        np.array([row[column] for row in newest.values()], dtype=np.float64)
        for column in (3, 4, 6, 7)
    )
    standings = standing(fd=fd, distance=distance, tau=tau, floor=floor).tolist()
    return [
        ScoredSubmission(
            id=str(pk),
            team=team,
            score=score,
            fd=fd,
            distance=distance,
            fd_floor=fd_floor,
            split=split,
            standing=Standing(of_row),
            received_at=received[pk],
        )
        for (pk, team, score, fd, distance, split, _, fd_floor), of_row in zip(
            newest.values(), standings, strict=True
        )
    ]


def _receipt_times(
    competition: Competition, submissions: list[uuid.UUID]
) -> dict[uuid.UUID, datetime]:
    """When submissions were received. These never change, and parsing a date is slow."""
    known: dict[uuid.UUID, datetime] = cached(("received", competition.pk), None, dict, 86_400)
    missing = [pk for pk in submissions if pk not in known]
    if missing:
        rows = Submission.objects.filter(team__competition=competition)
        if len(missing) <= _MAX_LOOKUPS:
            rows = Submission.objects.filter(pk__in=missing)
        known.update(rows.values_list("pk", "received_at"))
    return known
