"""What boards are computed from, read once for every state of the database, and kept.

Scores are only ever added and a log entry is written with every other change, so a few counts tell
whether something changed: the stamps. What was computed under one stamp is kept until another
comes; whoever asks meanwhile waits for the one who computes it, and does not do so again.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable, Hashable
from datetime import datetime
from typing import Any, NamedTuple, TypeVar

from django.core.cache import cache
from django.db import connection

from genmem.arena.auditlog.log import QUIET
from genmem.arena.auditlog.models import LogEntry
from genmem.arena.competitions.models import Competition, Split
from genmem.arena.leaderboards.models import ScoreVersion
from genmem.arena.submissions.models import Submission

T = TypeVar("T")

_STAMP = """
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

_SECONDS = 60
"""Everything is computed anew after this long whatever happens."""

_STALE = 10
"""Seconds since what was kept was still right, at most, for those who do not wait."""

_AT_ONCE = 500
"""Submissions that are looked up by number; more are read with all others."""


class InForce(NamedTuple):
    """The score in force of one scored submission on one split; `split` is the version's own."""

    submission: str
    team: int
    score: float | None
    fd: float | None
    distance: float | None
    split: int
    received_at: datetime


class _Kept(NamedTuple):
    stamp: tuple[str, Hashable]
    until: float
    value: Any


_kept: dict[Hashable, _Kept] = {}
_gates: dict[Hashable, threading.Lock] = {}
_right: dict[Hashable, float] = {}
_lock = threading.Lock()


def kept(
    name: Hashable,
    stamp: Hashable,
    make: Callable[[], T],
    seconds: float = _SECONDS,
    *,
    wait: bool = True,
) -> T:
    """What `make` made under this stamp, or makes now; callers must not change it.

    Args:
        name: of the thing; one value is kept for each.
        stamp: of the state it was made in.
        make: reads the database; called by one thread at a time.
        seconds: for how long it is good at most.
        wait: for another thread that is making it; else what was kept before, and was right within
            the last seconds, is good enough meanwhile. So one change does not hold up all
            who look at a busy board.
    """
    # An empty cache, as at the start of a test, forgets what is kept here too.
    cleared = str(cache.get_or_set("kept", lambda: uuid.uuid4().hex, None))
    whole = cleared, stamp
    found = _kept.get(name)
    if found is not None and found.stamp == whole and found.until >= time.monotonic():
        _right[name] = time.monotonic()
        return found.value
    with _lock:
        gate = _gates.setdefault(name, threading.Lock())
    before = found if found is not None and found.stamp[0] == cleared else None
    if _right.get(name, 0.0) < time.monotonic() - _STALE:
        before = None
    if not gate.acquire(blocking=wait or before is None) and before is not None:
        return before.value
    try:
        found = _kept.get(name)
        if found is None or found.stamp != whole or found.until < time.monotonic():
            found = _Kept(whole, time.monotonic() + seconds, make())
            _kept[name] = found
            _right[name] = time.monotonic()
        return found.value
    finally:
        gate.release()


def score_stamp() -> tuple[int | None, ...]:
    """Changes whenever a score or the set of scored submissions does, or teams merge."""
    return stamp()[:4]


def stamp() -> tuple[int | None, ...]:
    """Changes whenever a score, a selection, a decision, a team or a setting does."""
    with connection.cursor() as cursor:  # one statement: every request for a board asks this
        cursor.execute(_STAMP, QUIET * 2)
        return cursor.fetchone()


def in_force(competition: Competition, kind: str) -> list[InForce]:
    """The score in force of every scored submission on one split, disqualified ones too."""
    return kept(("in force", competition.pk, kind), score_stamp(), lambda: _read(competition, kind))


def _read(competition: Competition, kind: str) -> list[InForce]:
    versions = dict(
        Split.objects.filter(competition=competition, kind=kind).values_list("pk", "version")
    )
    rows = ScoreVersion.objects.filter(
        split_id__in=list(versions), superseded_by=None, submission__state="scored"
    ).values_list("submission_id", "submission__team_id", "score", "fd", "distance", "split_id")
    newest: dict[uuid.UUID, tuple[Any, ...]] = {}
    for row in rows:
        current = newest.get(row[0])
        if current is None or versions[row[5]] > versions[current[5]]:
            newest[row[0]] = row
    received = _received(competition, newest.keys())
    return [
        InForce(str(number), team, score, fd, distance, split, received[number])
        for number, team, score, fd, distance, split in newest.values()
    ]


def _received(competition: Competition, wanted: Any) -> dict[uuid.UUID, datetime]:
    """When submissions were received; it never changes, and reading a date takes time."""
    known: dict[uuid.UUID, datetime] = kept(("received", competition.pk), None, dict, 86_400)
    missing = [one for one in wanted if one not in known]
    if missing:
        rows = Submission.objects.filter(team__competition=competition)
        if len(missing) <= _AT_ONCE:
            rows = Submission.objects.filter(pk__in=missing)
        known.update(rows.values_list("pk", "received_at"))
    return known
