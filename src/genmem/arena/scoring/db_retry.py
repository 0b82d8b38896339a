"""A database that is away for a while is waited for."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import TypeVar

from django.db import InterfaceError, OperationalError, close_old_connections, connection

Answer = TypeVar("Answer")

AWAY = (OperationalError, InterfaceError)
"""What Django raises when the connection is gone, refused or kept waiting too long."""

_LONGEST = 10.0


def patiently(act: Callable[[], Answer]) -> Answer:
    """What `act` gives; it is called again for as long as the database is away.

    A transaction whose commit was answered by silence may have been made or not: `act` must look.
    """
    pause = 0.2
    while True:
        try:
            if not connection.in_atomic_block:
                close_old_connections()
            return act()
        except AWAY as error:
            if connection.in_atomic_block:
                raise
            drop()
            say(f"the database is away ({' '.join(str(error).split())[:120]}); trying again")
            time.sleep(pause)
            pause = min(2 * pause, _LONGEST)


def drop() -> None:
    """Forget this thread's connection, so that the next query makes a new one."""
    if connection.in_atomic_block:
        return
    try:
        connection.close()
    except AWAY:
        connection.connection = None


def say(text: str) -> None:
    """One line on the worker's terminal."""
    now = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime())
    sys.stderr.write(f"{now} {text}\n")  # in one piece: print writes the end of a line by itself
    sys.stderr.flush()
