"""Reading a database as it was at one moment, while others go on writing to it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection

_BEGIN = {
    "sqlite": "BEGIN DEFERRED",
    "postgresql": "BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY",
}


@contextmanager
def snapshot() -> Iterator[None]:
    """Everything read inside is of the same moment; nothing may be written inside.

    Writers are not held up: SQLite reads beside them from its write-ahead log, PostgreSQL from
    older versions of rows. Inside a transaction that has begun already, that one is it.
    """
    if connection.in_atomic_block:
        yield
        return
    with connection.cursor() as cursor:
        cursor.execute(_BEGIN[connection.vendor])
        try:
            yield
        finally:
            cursor.execute("COMMIT")
