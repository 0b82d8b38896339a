"""Wait for a database that is unavailable for a while."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from typing import TypeVar

from django.db import InterfaceError, OperationalError, close_old_connections, connection

from genmem.arena.core.heartbeat import beat

Result = TypeVar("Result")

UNAVAILABLE = (OperationalError, InterfaceError)
"""Raised by Django if the connection is gone, refused or timed out."""

_MAX_PAUSE = 10.0

logger = logging.getLogger(__name__)


def wait_for_database(action: Callable[[], Result]) -> Result:
    """Call `action`, again for as long as the database is unavailable, and return its result.

    If the connection breaks during a commit, the transaction may or may not have been committed:
    `action` must check what is done already.
    """
    pause = 0.2
    while True:
        try:
            if not connection.in_atomic_block:
                close_old_connections()
            return action()
        except UNAVAILABLE as error:
            if connection.in_atomic_block:
                raise
            close_connection()
            reason = " ".join(str(error).split())[:120]
            logger.warning("database unavailable (%s); retrying", reason)
            beat()
            time.sleep(pause)
            pause = min(2 * pause, _MAX_PAUSE)


def close_connection() -> None:
    """Close this thread's connection, so that the next query opens a new one."""
    if connection.in_atomic_block:
        return
    try:
        connection.close()
    except UNAVAILABLE:
        connection.connection = None
