"""Read the database as it was at one moment, while others write to it."""

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
    """Read everything inside the block as of one moment; do not write inside it.

    Writers are not blocked: SQLite keeps their changes in its write-ahead log, PostgreSQL keeps the
    old versions of rows. Inside a transaction, that transaction is the snapshot.
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
